import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What an installation has on its host, by kind; empty lists when nothing is left. */
export interface Traces {
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly interfaces: readonly string[];
  readonly loopDevices: readonly string[];
  readonly cgroups: readonly string[];
  readonly firewallTables: readonly string[];
}

export const noTraces: Traces = {
  processes: [],
  mounts: [],
  interfaces: [],
  loopDevices: [],
  cgroups: [],
  firewallTables: [],
};

/** Looks for everything that carries the data directory's path or the prefixes of its nodes. */
export async function tracesOf(data: string): Promise<Traces> {
  const prefixes = await devicePrefixes(data);
  const ours = (text: string) => prefixes.some((prefix) => text.includes(prefix));
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const { stdout: links } = await run("ip", ["-br", "link"]);
  const { stdout: loops } = await run("losetup", ["-a"]);
  const { stdout: tables } = await run("nft", ["list", "tables"]);
  return {
    processes: await processesWith(data),
    mounts: mounts.filter((line) => line.includes(data)),
    interfaces: links.split("\n").filter((line) => prefixes.some((prefix) => line.startsWith(`${prefix}-`))),
    loopDevices: loops.split("\n").filter((line) => line.includes(data)),
    cgroups: (await cgroupNames()).filter(ours),
    firewallTables: tables.split("\n").filter((line) => line.includes("castellan_") && ours(line)),
  };
}

async function devicePrefixes(data: string): Promise<string[]> {
  const prefixes: string[] = [];
  for (const node of await readdir(join(data, "nodes"))) {
    const identity = JSON.parse(await readFile(join(data, "nodes", node, "identity.json"), "utf8"));
    prefixes.push(identity.devicePrefix);
  }
  return prefixes;
}

/** Processes that name the directory, hold a file in it open, or have their root there, which a sandbox's own do. */
async function processesWith(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " ");
    if (command.includes(path) || (await hasOpen(pid, path)) || (await hasRoot(pid, path))) {
      found.push(`${pid} ${command}`);
    }
  }
  return found;
}

async function hasOpen(pid: string, path: string): Promise<boolean> {
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
    if (target.startsWith(`${path}/`)) return true;
  }
  return false;
}

async function hasRoot(pid: string, path: string): Promise<boolean> {
  const mounts = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "");
  return mounts.split("\n").some((line) => line.split(" ")[4] === "/" && line.includes(path));
}

/** Directories of the first two levels of every mounted hierarchy. */
async function cgroupNames(): Promise<string[]> {
  const names: string[] = [];
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  for (const line of mounts) {
    const [before = "", after = ""] = line.split(" - ");
    if (!after.startsWith("cgroup")) continue;
    const root = before.split(" ")[4] ?? "";
    for (const name of await readdir(root).catch(() => [])) {
      if (name.startsWith("castellan")) names.push(join(root, name));
    }
  }
  return names;
}
