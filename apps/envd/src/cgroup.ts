import { readFileSync } from "node:fs";

/** What a control group says about its memory and processor. Numbers are bytes, milliseconds and events. */
export interface Usage {
  /** Undefined where there is no limit, or none that can be seen. */
  readonly memoryLimit: number | undefined;
  readonly memoryUsed: number | undefined;
  /** What of it are pages of files, which the kernel drops when memory is short. */
  readonly memoryCache: number | undefined;
  /** Processor time since the group was made. */
  readonly cpuMs: number | undefined;
  /** Processors' worth of time that the group may use. */
  readonly cpuLimit: number | undefined;
}

const root = "/sys/fs/cgroup";

/**
 * The sandbox's own control group as it is seen inside: version 2, or version 1 with a directory per controller. What is
 * not there is undefined.
 */
export function readUsage(directory = root): Usage {
  const file = (name: string) => contents(`${directory}/${name}`);
  const [quota, period] = file("cpu.max")?.split(" ") ?? [file("cpu/cpu.cfs_quota_us"), file("cpu/cpu.cfs_period_us")];
  const cpuStat = file("cpu.stat");
  const cpuMs = cpuStat !== undefined ? scaled(field(cpuStat, "usage_usec"), 1e-3) : undefined;
  const processors = amount(quota) === undefined ? undefined : (amount(quota) ?? 0) / (amount(period) ?? Number.NaN);
  return {
    memoryLimit: amount(file("memory.max") ?? file("memory/memory.limit_in_bytes")),
    memoryUsed: amount(file("memory.current") ?? file("memory/memory.usage_in_bytes")),
    memoryCache: field(file("memory.stat"), "file") ?? field(file("memory/memory.stat"), "total_cache"),
    cpuMs: cpuMs ?? scaled(amount(file("cpuacct/cpuacct.usage")), 1e-6),
    cpuLimit: processors !== undefined && processors > 0 ? processors : undefined,
  };
}

/** How many processes the kernel has killed because the sandbox was out of memory; 0 where it does not say. */
export function outOfMemoryKills(directory = root): number {
  const counts = contents(`${directory}/memory.events`) ?? contents(`${directory}/memory/memory.oom_control`);
  return field(counts, "oom_kill") ?? 0;
}

function contents(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** The value in a line "name value". */
function field(text: string | undefined, name: string): number | undefined {
  return amount(new RegExp(`^${name} (\\d+)$`, "m").exec(text ?? "")?.[1]);
}

/** A number; undefined for none, "max", and what version 1 writes for "no limit". */
function amount(text: string | undefined): number | undefined {
  const unlimited = 2 ** 60;
  return text !== undefined && /^\d+$/.test(text) && Number(text) < unlimited ? Number(text) : undefined;
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
