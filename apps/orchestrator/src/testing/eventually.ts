import { setTimeout as sleep } from "node:timers/promises";

/** Tries until `check` no longer throws, for up to 8 s. */
export async function eventually(check: () => Promise<void> | void): Promise<void> {
  const until = performance.now() + 8_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(10);
    }
  }
}
