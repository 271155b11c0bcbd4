import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupLayout } from "./layout.ts";

/** What the processes of a cgroup use, in the same words for v1, hybrid and v2. */
export interface CgroupUsage {
  /** Processor time since the group was made, in microseconds. */
  readonly cpuMicros: number;
  /** Bytes that the kernel could not give back at once: everything charged, without `cacheBytes`. */
  readonly memoryBytes: number;
  /** Bytes of files that it keeps in memory and would drop first. Files in memory-backed file systems are not among them. */
  readonly cacheBytes: number;
  /** Absent where the group has no limit of its own. */
  readonly memoryLimitBytes?: number;
}

/**
 * Reads a group's usage.
 * @param group absolute from the root of each tree, as `Cgroups.pathOf` answers it.
 * @returns `undefined` when the group is gone, or the host does not count what is asked for.
 */
export async function readCgroupUsage(layout: CgroupLayout, group: string): Promise<CgroupUsage | undefined> {
  try {
    return layout.kind === "v2" ? await readV2(layout, group) : await readV1(layout, group);
  } catch (error) {
    // ENODEV: the group went away between opening its file and reading it.
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENODEV")) {
      return undefined;
    }
    throw error;
  }
}

/** Above it a v1 limit means "none": the kernel rounds the largest number down to whole pages. */
const unlimited = 2 ** 62;

async function readV1(layout: CgroupLayout, group: string): Promise<CgroupUsage | undefined> {
  const [cpu, memory] = [layout.tree("cpuacct"), layout.tree("memory")];
  if (cpu === undefined || memory === undefined) return undefined;
  const [nanoseconds, charged, limit, stat] = await Promise.all([
    readNumber(join(cpu, group, "cpuacct.usage")),
    readNumber(join(memory, group, "memory.usage_in_bytes")),
    readNumber(join(memory, group, "memory.limit_in_bytes")),
    readTable(join(memory, group, "memory.stat")),
  ]);
  const cache = (stat.get("total_inactive_file") ?? 0) + (stat.get("total_active_file") ?? 0);
  return usage(Math.floor(nanoseconds / 1000), charged, cache, limit >= unlimited ? undefined : limit);
}

async function readV2(layout: CgroupLayout, group: string): Promise<CgroupUsage | undefined> {
  const [tree] = layout.trees;
  if (tree === undefined) return undefined;
  const [cpu, charged, limit, stat] = await Promise.all([
    readTable(join(tree, group, "cpu.stat")),
    readNumber(join(tree, group, "memory.current")),
    readNumber(join(tree, group, "memory.max")),
    readTable(join(tree, group, "memory.stat")),
  ]);
  const files = (stat.get("inactive_file") ?? 0) + (stat.get("active_file") ?? 0);
  const cache = files + (stat.get("slab_reclaimable") ?? 0);
  return usage(cpu.get("usage_usec") ?? 0, charged, cache, Number.isNaN(limit) ? undefined : limit);
}

/** The kernel adds its counters up at different moments: the cache may look larger than what holds it. */
function usage(cpuMicros: number, charged: number, cache: number, limit: number | undefined): CgroupUsage {
  const cacheBytes = Math.min(cache, charged);
  const known = { cpuMicros, memoryBytes: charged - cacheBytes, cacheBytes };
  return limit === undefined ? known : { ...known, memoryLimitBytes: limit };
}

/** `NaN` for a word, such as `max`. */
async function readNumber(path: string): Promise<number> {
  return Number((await readFile(path, "utf8")).trim());
}

async function readTable(path: string): Promise<Map<string, number>> {
  const lines = (await readFile(path, "utf8")).split("\n");
  return new Map(
    lines.flatMap((line) => {
      const [name = "", value] = line.split(" ");
      return value === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
}
