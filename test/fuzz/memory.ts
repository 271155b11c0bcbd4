import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../support/until.ts";

/** What one process holds after its garbage was collected; bytes. */
export interface Held {
  readonly rss: number;
  /** Absent for a process without the probe, whose garbage cannot be collected from outside. */
  readonly heapUsed?: number;
  /** Memory outside the heap, buffers above all. */
  readonly external?: number;
  /** Open TCP connections. */
  readonly sockets?: number;
}

/**
 * How much more than before counts as flat; bytes. What a process keeps of pages for its largest messages levels off: a
 * node's at 176 MiB, after 7,000 requests as after 21,000.
 */
const allowed = { heap: 12 * 1024 * 1024, rss: 224 * 1024 * 1024 };

/** Asks a process that has the probe. */
export async function askProbe(directory: string, pid: number): Promise<Held> {
  const file = join(directory, String(pid));
  await rm(file, { force: true });
  process.kill(pid, "SIGUSR2");
  let text = "";
  await until(async () => {
    text = await readFile(file, "utf8").catch(() => "");
    return text !== "";
  });
  const held: Required<Held> = JSON.parse(text);
  return held;
}

/** What the system says of a process that has no probe. */
export async function residentOf(pid: number): Promise<Held> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return { rss: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024 };
}

/** What is wrong with how much more is held at the end than after warming up. */
export function growth(name: string, before: Held, after: Held): string | undefined {
  const heap = (after.heapUsed ?? 0) + (after.external ?? 0) - (before.heapUsed ?? 0) - (before.external ?? 0);
  if (heap > allowed.heap) return `${name} holds ${mebibytes(heap)} more than after warming up`;
  const rss = after.rss - before.rss;
  return rss > allowed.rss ? `${name} has ${mebibytes(rss)} more resident than after warming up` : undefined;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
