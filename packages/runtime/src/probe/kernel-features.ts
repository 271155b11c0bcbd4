import { existsSync, readFileSync } from "node:fs";
import { access, constants, readFile, statfs } from "node:fs/promises";
import { release } from "node:os";
import { currentCgroupLayout } from "../cgroup/layout.ts";
import { commandsOf } from "../host/command.ts";
import { attempted, type Check, failed, passed } from "./check.ts";

/** What this process may do and what the kernel says that it can, without trying anything that changes the host. */
export function kernelChecks(directory: string): Promise<Check>[] {
  return [
    attempted("root", "required", "run as root", () => {
      if (process.getuid?.() !== 0) throw new Error(`runs as user ${process.getuid?.()}`);
      return "runs as root";
    }),
    attempted("machine", "required", "use a 64-bit x86 or ARM machine", () => {
      if (process.arch !== "x64" && process.arch !== "arm64") throw new Error(`${process.arch} has no sandbox profile`);
      return process.arch;
    }),
    attempted("kernel", "required", "use Linux 5.19 or later: overlays over mounts that shift ids", () => {
      const [major = 0, minor = 0] = release().split(".").map(Number);
      if (major < 5 || (major === 5 && minor < 19)) throw new Error(`Linux ${release()} is too old`);
      return `Linux ${release()}`;
    }),
    attempted("seccomp", "required", "use a kernel with CONFIG_SECCOMP_FILTER", () => {
      if (!existsSync("/proc/sys/kernel/seccomp/actions_avail")) throw new Error("the kernel filters no system calls");
      return "system call filters work";
    }),
    ...cgroupChecks(),
    attempted("user namespaces", "required", "sysctl user.max_user_namespaces=100000", async () => {
      const most = Number(await readFile("/proc/sys/user/max_user_namespaces", "utf8"));
      if (!(most > 0)) throw new Error("the kernel allows none");
      return `up to ${most}`;
    }),
    attempted("routing", "required", "mount /proc/sys writable, or sysctl net.ipv4.ip_forward=1", routing),
    attempted("memory", "advised", "stop something, or use a machine with more", async () => {
      const available = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(await readFile("/proc/meminfo", "utf8"))?.[1]) / 1024;
      const text = `${Math.round(available)} MiB available`;
      if (!(available >= leastMemoryMb)) throw new Error(`${text}; the services and one sandbox take ${leastMemoryMb}`);
      return text;
    }),
    attempted("forwarding", "advised", "let the firewall accept forwarding for the node's interfaces", forwarding),
    attempted("disk space", "advised", "free some space, or put the state directory on another disk", async () => {
      const { bavail, bsize } = await statfs(directory);
      const gibibytes = (bavail * bsize) / 2 ** 30;
      if (gibibytes < 5) throw new Error(`${gibibytes.toFixed(1)} GiB free at ${directory}`);
      return `${gibibytes.toFixed(0)} GiB free at ${directory}`;
    }),
  ];
}

/** MiB: the control plane and a node take about 200 each, a sandbox of the base template up to 1024. */
const leastMemoryMb = 1536;

/** Starting a node turns routing on; where it cannot, it must be on. */
async function routing(): Promise<string> {
  const file = "/proc/sys/net/ipv4/ip_forward";
  if ((await readFile(file, "utf8")).trim() === "1") return "the kernel passes packets on";
  if (process.getuid?.() === 0) await access(file, constants.W_OK);
  return "off; starting a node turns it on";
}

function cgroupChecks(): Promise<Check>[] {
  const layout = currentCgroupLayout();
  const unified = layout.kind === "v2" ? layout.tree("cpu") : undefined;
  const offered = unified === undefined ? "" : readFileSync(`${unified}/cgroup.controllers`, "utf8");
  const has = (name: string) =>
    layout.kind === "v2" ? offered.split(/\s+/).includes(name) : layout.tree(name) !== undefined;
  const missing = ["cpu", "memory", "pids", ...(layout.kind === "v2" ? [] : ["devices", "freezer"])].filter(
    (name) => !has(name),
  );
  const fix = "boot with the controllers enabled (cgroup_enable=memory) and mounted below /sys/fs/cgroup";
  const names = { v1: "cgroup v1", v2: "cgroup v2", hybrid: "cgroup v1 controllers beside an empty v2 tree" };
  const controllers =
    missing.length === 0
      ? passed("cgroups", "required", `${names[layout.kind]}, all needed controllers`)
      : failed("cgroups", "required", `${names[layout.kind]}, without ${missing.join(", ")}`, fix);
  return [Promise.resolve(controllers)];
}

/** Another firewall that drops what is forwarded drops the sandboxes' packets too: an accept does not override it. */
async function forwarding(): Promise<string> {
  const rules = await commandsOf("probe")("nft", ["list", "ruleset"]);
  for (const [, name = ""] of rules.matchAll(/chain (\S+) \{\s+type filter hook forward [^;]*; policy drop;/g)) {
    throw new Error(`the chain ${name} of another firewall drops what is forwarded`);
  }
  return "no firewall drops what is forwarded";
}
