import { performance } from "node:perf_hooks";
import type { Micros } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";

/**
 * The store's clock without asking it each time: an offset to this process's monotonic clock, measured now and then.
 * For what must be decided exactly (whether a life has ended) the store decides in its own step.
 */
export interface StoreClock {
  now(): Micros;
  /** Measures the offset anew. */
  sync(): Promise<void>;
}

export async function createStoreClock(store: SandboxStore): Promise<StoreClock> {
  let offset = 0;
  const clock: StoreClock = {
    now: () => Math.round(monotonicMicros() + offset),
    async sync() {
      const before = monotonicMicros();
      const now = await store.now();
      const after = monotonicMicros();
      offset = now - (before + after) / 2;
    },
  };
  await clock.sync();
  return clock;
}

function monotonicMicros(): number {
  return performance.now() * 1000;
}
