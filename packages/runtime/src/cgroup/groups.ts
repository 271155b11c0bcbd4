import { existsSync } from "node:fs";
import { readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureDirectory } from "../host/directories.ts";
import { identify, killAndWait } from "../host/process.ts";
import type { CgroupLayout } from "./layout.ts";
import { type CgroupUsage, readCgroupUsage } from "./usage.ts";

const neededControllers = ["cpu", "memory", "pids"] as const;

/** The cgroups of one node's executions: `/castellan-PREFIX/EXECUTION` in every tree. runc makes and limits them. */
export class Cgroups {
  readonly layout: CgroupLayout;
  readonly #parent: string;

  constructor(layout: CgroupLayout, devicePrefix: string) {
    this.layout = layout;
    this.#parent = `castellan-${devicePrefix}`;
  }

  /** For runc: absolute means from the root of each tree, wherever this process is. */
  pathOf(executionId: string): string {
    return `/${this.#parent}/${executionId}`;
  }

  /** Makes the parent groups. On v2 a group has only the controllers that its parents pass on. */
  async prepare(): Promise<void> {
    for (const tree of this.layout.trees) await ensureDirectory(join(tree, this.#parent), 0o755);
    const [root] = this.layout.trees;
    if (this.layout.kind !== "v2" || root === undefined) return;
    const controllers = neededControllers.map((name) => `+${name}`).join(" ");
    await writeFile(join(root, "cgroup.subtree_control"), controllers);
    await writeFile(join(root, this.#parent, "cgroup.subtree_control"), controllers);
  }

  /** Whether the kernel counts swap, so that "no swap" can be said at all. */
  limitsSwap(): boolean {
    const tree = this.layout.tree("memory");
    if (tree === undefined) return false;
    return ["memory.swap.max", "memory.memsw.limit_in_bytes"].some((name) =>
      existsSync(join(tree, this.#parent, name)),
    );
  }

  /**
   * Makes the execution's memory group ahead of runc, to limit in it what runc does not know: with cgroup v1 the buffers
   * of sockets are outside the memory limit, and a sandbox could hold gigabytes of the host in what nobody reads.
   * They get an eighth of the memory limit on top of it, at least 16 MiB.
   */
  async limitSockets(executionId: string, memoryBytes: number): Promise<void> {
    const tree = this.layout.tree("memory");
    const limit = "memory.kmem.tcp.limit_in_bytes";
    if (tree === undefined || !existsSync(join(tree, this.#parent, limit))) return;
    const group = join(tree, this.pathOf(executionId));
    await ensureDirectory(group, 0o755);
    await writeFile(join(group, limit), String(Math.max(Math.round(memoryBytes / 8), 16 * 1024 * 1024)));
  }

  /** Ids of the executions that have a group. */
  async list(): Promise<string[]> {
    const ids = new Set<string>();
    for (const tree of this.layout.trees) {
      for (const entry of await readdir(join(tree, this.#parent), { withFileTypes: true }).catch(() => [])) {
        if (entry.isDirectory()) ids.add(entry.name);
      }
    }
    return [...ids];
  }

  /** How often the kernel killed in the group for lack of memory. */
  async oomKills(executionId: string): Promise<number> {
    const tree = this.layout.tree("memory");
    if (tree === undefined) return 0;
    const file = this.layout.kind === "v2" ? "memory.events" : "memory.oom_control";
    const text = await readFile(join(tree, this.pathOf(executionId), file), "utf8").catch(() => "");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** What the execution's processes use; `undefined` when it has no groups. */
  async usage(executionId: string): Promise<CgroupUsage | undefined> {
    return await readCgroupUsage(this.layout, this.pathOf(executionId));
  }

  /** Kills what is in the groups of the execution and removes them. @throws when something stays after 30 s. */
  async remove(executionId: string): Promise<void> {
    const groups = this.layout.trees
      .map((tree) => join(tree, this.pathOf(executionId)))
      .filter((path) => existsSync(path));
    const deadline = performance.now() + 30_000;
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      const pids = new Set((await Promise.all(groups.map(members))).flat());
      // The kernel refuses to remove a group in which a process is still dying.
      if (pids.size === 0 && (await removeTrees(groups))) return;
      if (performance.now() > deadline) throw new Error(`cgroup ${executionId} is still in use`);
      for (const pid of pids) await killMember(pid, this.pathOf(executionId));
      await sleep(pause);
    }
  }

  /** Takes the parent groups away; they stay when executions are in them. */
  async close(): Promise<void> {
    for (const tree of this.layout.trees) await rmdir(join(tree, this.#parent)).catch(() => {});
  }
}

async function killMember(pid: number, path: string): Promise<void> {
  const process = identify(pid);
  // The number may have gone to another process since the group was read.
  const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  if (process !== undefined && groups.includes(`:${path}`)) await killAndWait(process, 1000);
}

async function members(group: string): Promise<number[]> {
  const text = await readFile(join(group, "cgroup.procs"), "utf8").catch(() => "");
  const own = text.split("\n").filter(Boolean).map(Number);
  const below = await Promise.all((await subgroups(group)).map(members));
  return [own, ...below].flat();
}

async function removeTrees(groups: readonly string[]): Promise<boolean> {
  let removed = true;
  for (const group of groups) {
    removed = (await removeTrees(await subgroups(group))) && removed;
    try {
      await rmdir(group);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) removed = false;
    }
  }
  return removed;
}

async function subgroups(group: string): Promise<string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name));
}
