import { DeletionCause, UpdateOutcome } from "@castellan/contracts/sandbox";
import { afterEach, describe, expect, it } from "vitest";
import { startTestControlPlane, type TestControlPlane } from "../testing/test-control-plane.ts";
import { epoch, startTestNode, type TestNode } from "../testing/test-node.ts";

describe("the end of a sandbox's time", () => {
  let node: TestNode | undefined;
  let controlPlane: TestControlPlane | undefined;

  afterEach(async () => {
    await node?.dispose();
    await controlPlane?.close();
    node = undefined;
    controlPlane = undefined;
  });

  const endIn = (remainingMs: bigint, revision = 10n) => ({ endAtUs: 1n, remainingMs, revision });
  const deletions = async () => (await node?.sandboxes.list({ epoch }))?.deletions;

  it("is kept by the node itself when no control plane is there, a grace after it", async () => {
    node = await startTestNode({ timing: { endGraceMs: 200, endBackstopMs: 60_000 } });
    const began = performance.now();
    const ids = await node.startSandbox({ endTime: endIn(100n) });
    await expect.poll(deletions, { timeout: 5_000 }).toMatchObject([{ ...ids, cause: DeletionCause.EXPIRED }]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(300);
  });

  it("is left to a control plane that is there, up to the backstop", async () => {
    controlPlane = await startTestControlPlane({ leaseMs: 600 });
    node = await startTestNode({
      controlPlaneUrls: [controlPlane.url],
      timing: { endGraceMs: 50, endBackstopMs: 1_500 },
    });
    const began = performance.now();
    const ids = await node.startSandbox({ endTime: endIn(50n) });
    await expect.poll(deletions, { timeout: 5_000 }).toMatchObject([{ ...ids, cause: DeletionCause.EXPIRED }]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(1_500);
  });

  it("can be extended until it is acted upon", async () => {
    node = await startTestNode({ timing: { endGraceMs: 300, endBackstopMs: 60_000 } });
    const ids = await node.startSandbox({ endTime: endIn(100n) });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { result } = await node.sandboxes.update({ epoch, ...ids, endTime: endIn(60_000n, 11n) });
    expect(result).toMatchObject({ outcome: UpdateOutcome.HELD, applied: { endTime: 11n } });
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(node.runtime.running.size).toBe(1);
  });

  it("is never confirmed anew for a sandbox that has begun to end", async () => {
    node = await startTestNode({ timing: { endGraceMs: 50, endBackstopMs: 60_000 } });
    node.runtime.faults.stopMs = 1_000;
    const ids = await node.startSandbox({ endTime: endIn(10n) });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { result } = await node.sandboxes.update({ epoch, ...ids, endTime: endIn(60_000n, 11n) });
    expect(result).toMatchObject({ outcome: UpdateOutcome.FAILED, applied: { endTime: 10n } });
  });

  it("goes on counting over a restart of the node's process", async () => {
    node = await startTestNode({ timing: { endGraceMs: 0, endBackstopMs: 0 } });
    const ids = await node.startSandbox({ endTime: endIn(3_000n) });
    await node.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const began = performance.now();
    const first = node;
    node = await startTestNode({ after: first, timing: { endGraceMs: 0, endBackstopMs: 0 } });
    await expect.poll(deletions, { timeout: 5_000 }).toMatchObject([{ ...ids, cause: DeletionCause.EXPIRED }]);
    expect(performance.now() - began).toBeLessThan(2_900);
  });
});
