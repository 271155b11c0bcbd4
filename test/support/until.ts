import { setTimeout as sleep } from "node:timers/promises";

/** Waits until the condition holds. @throws when it does not within the time. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Not within ${withinMs} ms: ${condition}`);
    await sleep(50);
  }
}
