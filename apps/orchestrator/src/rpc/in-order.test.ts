import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { inOrder } from "./in-order.ts";

const never = new AbortController().signal;

async function* numbers(count: number) {
  for (let number = 0; number < count; number += 1) yield number;
}

async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

describe("work in order", () => {
  it("yields the results in the order of the inputs, whatever takes how long", async () => {
    const results = inOrder(numbers(6), 4, (number) => sleep(number % 2 === 0 ? 20 : 1, number), never);
    expect(await collect(results)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("works on no more than the limit at once and reads no further meanwhile", async () => {
    let active = 0;
    let most = 0;
    const work = async (number: number) => {
      active += 1;
      most = Math.max(most, active);
      await sleep(5);
      active -= 1;
      return number;
    };
    await collect(inOrder(numbers(20), 3, work, never));
    expect(most).toBe(3);
  });

  it("yields a result although the next input does not come", async () => {
    const abort = new AbortController();
    async function* one() {
      yield 1;
      await new Promise(() => undefined);
    }
    const results = inOrder(one(), 4, async (number) => number, abort.signal);
    expect((await results.next()).value).toBe(1);
    const next = results.next();
    abort.abort();
    expect((await next).done).toBe(true);
  });

  it("passes the failure of the inputs on", async () => {
    async function* broken() {
      yield 1;
      throw new Error("cut off");
    }
    await expect(collect(inOrder(broken(), 4, async (number) => number, never))).rejects.toThrow("cut off");
  });
});
