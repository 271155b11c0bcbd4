import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Turns } from "./turns.ts";

describe("turns", () => {
  it("let so many work at once, in the order in which they came", async () => {
    const turns = new Turns(2);
    const order: number[] = [];
    let atWork = 0;
    let most = 0;
    const work = (i: number) => async () => {
      order.push(i);
      most = Math.max(most, ++atWork);
      await sleep(2);
      atWork -= 1;
      if (i === 3) throw new Error("three");
      return i;
    };
    const { signal } = new AbortController();
    const all = await Promise.allSettled([0, 1, 2, 3, 4, 5].map((i) => turns.run(work(i), signal)));
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(most).toBe(2);
    expect(all.map(({ status }) => status)).toEqual([
      ...Array(3).fill("fulfilled"),
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
  });

  it("are given up while waiting", async () => {
    const turns = new Turns(1);
    const abort = new AbortController();
    const never = new AbortController().signal;
    const first = turns.run(() => sleep(20), never);
    const second = turns.run(async () => "never", abort.signal);
    const third = turns.run(async () => "third", never);
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    await expect(turns.run(async () => "late", abort.signal)).rejects.toMatchObject({ code: "cancelled" });
    await first;
    expect(await third).toBe("third");
  });
});
