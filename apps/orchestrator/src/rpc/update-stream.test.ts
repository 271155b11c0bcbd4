import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { UpdateOutcome, UpdateStreamRequestSchema } from "@castellan/contracts/sandbox";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { epoch, listed, startTestNode, type TestNode } from "../testing/test-node.ts";

describe("the update stream", () => {
  let node: TestNode;

  beforeEach(async () => {
    node = await startTestNode();
  });
  afterEach(() => node.dispose());

  type Batch = MessageInitShape<typeof UpdateStreamRequestSchema>;
  async function* batches(list: readonly Batch[]) {
    for (const batch of list) yield create(UpdateStreamRequestSchema, batch);
  }

  it("answers every message with one of its own, results in the order of its updates", async () => {
    const sandboxes = await Promise.all(Array.from({ length: 5 }, () => node.startSandbox()));
    const sent = [1n, 2n, 3n].map((step) => ({
      updates: sandboxes.map((ids) => ({
        epoch,
        ...ids,
        metadata: { entries: { step: String(step) }, revision: 10n + step },
      })),
    }));
    const answers = [];
    for await (const answer of node.sandboxes.updateStream(batches(sent))) answers.push(answer);
    expect(answers).toHaveLength(3);
    for (const [index, answer] of answers.entries()) {
      expect(answer).toMatchObject({ bootId: node.orchestrator.bootId, epoch });
      expect(answer.results.map(({ executionId }) => executionId)).toEqual(sandboxes.map((ids) => ids.executionId));
      for (const result of answer.results) {
        expect(result.outcome).toBe(UpdateOutcome.HELD);
        expect(result.applied?.metadata).toBeGreaterThanOrEqual(11n + BigInt(index));
      }
    }
  });

  it("is not held up for others by a slow or broken update", async () => {
    const good = await node.startSandbox();
    const bad = await node.startSandbox();
    node.runtime.faults.egress = new Error("broken");
    const batch = {
      updates: [
        { epoch, ...bad, egress: { revision: 11n }, metadata: { entries: { x: "1" }, revision: 11n } },
        { epoch, ...good, metadata: { entries: { x: "1" }, revision: 11n } },
        { epoch: epoch - 1n, ...good, metadata: { entries: { x: "2" }, revision: 12n } },
        { epoch, sandboxId: "inone", executionId: "enone", metadata: { revision: 11n } },
      ],
    };
    const outcomes = [];
    for await (const { results } of node.sandboxes.updateStream(batches([batch]))) {
      outcomes.push(...results.map(({ outcome }) => outcome));
    }
    expect(outcomes).toEqual([
      UpdateOutcome.FAILED,
      UpdateOutcome.HELD,
      UpdateOutcome.STALE_EPOCH,
      UpdateOutcome.NOT_FOUND,
    ]);
  });

  it("confirms while the caller's side stays open, and survives the caller's breaking off", async () => {
    const ids = await node.startSandbox();
    const abort = new AbortController();
    async function* open() {
      const metadata = { entries: { sent: "yes" }, revision: 11n };
      yield create(UpdateStreamRequestSchema, { updates: [{ epoch, ...ids, metadata }] });
      await new Promise((resolve) => abort.signal.addEventListener("abort", resolve));
    }
    const stream = node.sandboxes.updateStream(open(), { signal: abort.signal })[Symbol.asyncIterator]();
    const first = await stream.next();
    expect(first.value?.results[0]?.applied?.metadata).toBe(11n);
    const ended = stream.next();
    abort.abort();
    await expect(ended).rejects.toThrow();

    expect((await listed(node, ids.sandboxId))?.applied?.metadata).toBe(11n);
    const again = batches([{ updates: [{ epoch, ...ids, metadata: { revision: 12n } }] }]);
    for await (const { results } of node.sandboxes.updateStream(again)) {
      expect(results[0]?.applied?.metadata).toBe(12n);
    }
  });

  it("ends when the node shuts down, instead of holding it up", async () => {
    const abort = new AbortController();
    async function* silent() {
      yield create(UpdateStreamRequestSchema, {});
      await new Promise((resolve) => abort.signal.addEventListener("abort", resolve));
    }
    const stream = node.sandboxes.updateStream(silent(), { signal: abort.signal })[Symbol.asyncIterator]();
    await stream.next();
    const ended = stream.next().catch(() => undefined);
    const began = performance.now();
    await node.orchestrator.close({ stopSandboxes: false });
    expect(performance.now() - began).toBeLessThan(950);
    abort.abort();
    await ended;
  });
});
