import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What sandboxes take on the host, by kind, each thing by a name. */
export type Holdings = Readonly<Record<string, readonly string[]>>;

export async function hostHoldings(): Promise<Holdings> {
  const [mounts, loops, links, namespaces, groups, tables, processes] = await Promise.all([
    readFile("/proc/mounts", "utf8").then((text) => lines(text).filter((line) => line.includes("/executions/"))),
    loopFiles(),
    readdir("/sys/class/net"),
    run("ip", ["netns", "list"]).then(({ stdout }) => lines(stdout)),
    cgroups(),
    run("nft", ["list", "tables"]).then(({ stdout }) => lines(stdout).filter((line) => line.includes("castellan_"))),
    commandLines(),
  ]);
  return {
    mounts,
    loops,
    links: links.filter((name) => /-[0-9a-f]+$/.test(name)),
    namespaces,
    groups,
    tables,
    processes,
  };
}

/** The device prefixes of the nodes whose state is below the directory. */
export async function prefixesBelow(directory: string): Promise<string[]> {
  const names = await readdir("/run/castellan");
  const holders = await Promise.all(
    names.map((name) => readFile(join("/run/castellan", name), "utf8").catch(() => "")),
  );
  return names.filter((_, i) => holders[i]?.startsWith(`${directory}/`)).map((name) => name.replace("prefix-", ""));
}

/** What `after` has and `before` had not. */
export function difference(before: Holdings, after: Holdings): Record<string, string[]> {
  const entries = Object.entries(after).map(([kind, things]): [string, string[]] => {
    const known = new Set(before[kind]);
    return [kind, things.filter((thing) => !known.has(thing))];
  });
  return Object.fromEntries(entries);
}

async function loopFiles(): Promise<string[]> {
  const names = (await readdir("/sys/block")).filter((name) => name.startsWith("loop"));
  const files = await Promise.all(
    names.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "")),
  );
  return files.map((file) => file.trim()).filter(Boolean);
}

async function cgroups(): Promise<string[]> {
  const found: string[] = [];
  for (const tree of ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"]) {
    for (const parent of (await readdir(tree).catch(() => [])).filter((name) => name.startsWith("castellan-"))) {
      found.push(join(tree, parent));
      const entries = await readdir(join(tree, parent), { withFileTypes: true }).catch(() => []);
      found.push(...entries.filter((entry) => entry.isDirectory()).map((entry) => join(tree, parent, entry.name)));
    }
  }
  return found;
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")));
  return texts
    .map((text, i) => `${pids[i]} ${text.replaceAll("\0", " ").trim()}`)
    .filter((line) => line.includes("castellan"));
}

function lines(text: string): string[] {
  return text.split("\n").filter(Boolean);
}
