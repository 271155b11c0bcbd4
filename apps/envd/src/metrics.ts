import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { readUsage } from "./cgroup.ts";

/** What `GET /metrics` answers: names and units are those that readers of this protocol know. */
export interface Metrics {
  /** Seconds since 1970. */
  readonly ts: number;
  readonly cpu_count: number;
  /** Since the last reading, or the daemon's start; 100 is all that the sandbox may use. */
  readonly cpu_used_pct: number;
  readonly mem_total_mib: number;
  readonly mem_used_mib: number;
  /** Bytes, as all below. */
  readonly mem_total: number;
  /** Without the pages of files, which `mem_cache` counts. */
  readonly mem_used: number;
  readonly mem_cache: number;
  readonly disk_used: number;
  readonly disk_total: number;
}

/** Reads what the sandbox uses of what it may use, from its own control group; where that is hidden, from the system. */
export class ResourceMeter {
  #last = { cpuMs: 0, at: 0 };

  async read(): Promise<Metrics> {
    const usage = readUsage();
    const system = systemMemory();
    const disk = await statfs("/");
    const processors = usage.cpuLimit ?? onlineProcessors();
    const total = Math.min(usage.memoryLimit ?? system.total, system.total);
    const cache = usage.memoryCache ?? system.cached;
    const used = usage.memoryUsed === undefined ? system.used : Math.max(0, usage.memoryUsed - cache);
    return {
      ts: Math.floor(Date.now() / 1000),
      cpu_count: Math.ceil(processors),
      cpu_used_pct: this.#cpuUsed(usage.cpuMs, processors),
      mem_total_mib: Math.floor(total / mebibyte),
      mem_used_mib: Math.floor(used / mebibyte),
      mem_total: total,
      mem_used: used,
      mem_cache: cache,
      disk_used: (disk.blocks - disk.bavail) * disk.bsize,
      disk_total: disk.blocks * disk.bsize,
    };
  }

  #cpuUsed(cpuMs: number | undefined, processors: number): number {
    if (cpuMs === undefined) return 0;
    // From the process's start, on the first reading.
    const at = performance.now();
    const percent = ((cpuMs - this.#last.cpuMs) / (at - this.#last.at) / processors) * 100;
    this.#last = { cpuMs, at };
    return Math.round(Math.min(Math.max(percent, 0), 100) * 100) / 100;
  }
}

const mebibyte = 1024 * 1024;

function systemMemory(): { total: number; used: number; cached: number } {
  const text = readFileSync("/proc/meminfo", "utf8");
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  const total = bytes("MemTotal");
  return { total, used: total - bytes("MemAvailable"), cached: bytes("Cached") };
}

/** Counted in /proc: asking `node:os` would load the module. */
function onlineProcessors(): number {
  return readFileSync("/proc/stat", "utf8").match(/^cpu\d+ /gm)?.length ?? 1;
}
