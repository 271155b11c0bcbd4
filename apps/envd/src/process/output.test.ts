import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { outcome } from "./outcome.ts";
import { Output } from "./output.ts";
import type { Subscription } from "./subscription.ts";

const limits = { pendingBytes: 1_000, stalledMs: 120, stalledAloneMs: 600 };

function setUp() {
  const stdout = new PassThrough({ highWaterMark: 100 });
  const stderr = new PassThrough({ highWaterMark: 100 });
  const drained = Promise.withResolvers<void>();
  const sources = [
    { kind: "stdout", stream: stdout },
    { kind: "stderr", stream: stderr },
  ] as const;
  const output = new Output(sources, drained.resolve, limits);
  return { stdout, stderr, output, drained: drained.promise };
}

/** Takes everything there is for a reader. */
async function readAll(subscription: Subscription): Promise<string> {
  let text = "";
  for await (const event of subscription) {
    if (event.event?.case === "data" && event.event.value.output?.value)
      text += Buffer.from(event.event.value.output.value);
    if (event.event?.case === "end") text += `[${event.event.value.status}]`;
  }
  return text;
}

describe("the output of a process", () => {
  it("comes to every reader in order, and before its end", async () => {
    const { stdout, stderr, output, drained } = setUp();
    const readers = [output.subscribe(() => {}), output.subscribe(() => {})].map(readAll);
    stdout.write("one ");
    await sleep(5);
    stderr.write("two ");
    await sleep(5);
    stdout.end("three ");
    stderr.end();
    await drained;
    output.end(outcome(0, null));
    expect(await Promise.all(readers)).toEqual(["one two three [exit status 0]", "one two three [exit status 0]"]);
  });

  it("is thrown away when nobody reads, and the process goes on", async () => {
    const { stdout, stderr, output, drained } = setUp();
    stdout.end("x".repeat(50_000));
    stderr.end();
    await drained;
    output.end(outcome(0, null));
  });

  it("waits for a slow reader, with no more in memory than the limit allows", async () => {
    const { stdout, stderr, output, drained } = setUp();
    const slow = output.subscribe(() => {});
    for (let count = 0; count < 200; count++) stdout.write("x".repeat(100));
    stdout.end();
    stderr.end();
    await sleep(50);
    expect(slow.pendingBytes).toBeGreaterThan(limits.pendingBytes);
    expect(slow.pendingBytes).toBeLessThan(limits.pendingBytes + 1_500);
    const text = readAll(slow);
    await drained;
    output.end(outcome(0, null));
    expect((await text).length).toBe(20_000 + "[exit status 0]".length);
  });

  it("reaches the others whole when one reader takes nothing: that one is dropped", async () => {
    const { stdout, stderr, output, drained } = setUp();
    let dropped = false;
    const stuck = output.subscribe(() => {
      dropped = true;
    });
    const other = readAll(output.subscribe(() => {}));
    for (let count = 0; count < 200; count++) stdout.write("x".repeat(100));
    stdout.end();
    stderr.end();
    await drained;
    output.end(outcome(0, null));
    expect((await other).length).toBe(20_000 + "[exit status 0]".length);
    expect(dropped).toBe(true);
    expect(stuck.pendingBytes).toBe(0);
  });

  it("does not drop a reader that is slow but takes something now and then", async () => {
    const { stdout, output } = setUp();
    let dropped = false;
    const slow = output.subscribe(() => {
      dropped = true;
    });
    const fast = output.subscribe(() => {});
    void readAll(fast);
    for (let count = 0; count < 200; count++) stdout.write("x".repeat(100));
    const events = slow[Symbol.asyncIterator]();
    for (let count = 0; count < 6; count++) {
      await sleep(limits.stalledMs / 2);
      await events.next();
    }
    expect(dropped).toBe(false);
    output.unsubscribe(slow);
    output.unsubscribe(fast);
    output.close();
  });

  it("is not held up for ever by a reader that nobody else waits for", async () => {
    const { stdout, stderr, output, drained } = setUp();
    let dropped = false;
    output.subscribe(() => {
      dropped = true;
    });
    for (let count = 0; count < 200; count++) stdout.write("x".repeat(100));
    stdout.end();
    stderr.end();
    await sleep(limits.stalledMs * 2);
    expect(dropped).toBe(false);
    await drained;
    expect(dropped).toBe(true);
  });

  it("is read empty before it is closed on what still holds it", async () => {
    const { stdout, output, drained } = setUp();
    const text = readAll(output.subscribe(() => {}));
    stdout.write("last words");
    output.closeSoon();
    await drained;
    output.end(outcome(null, "SIGKILL"));
    expect(await text).toBe("last words[signal: killed]");
  });
});
