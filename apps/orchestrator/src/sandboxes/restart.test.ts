import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeletionCause, UpdateOutcome } from "@castellan/contracts/sandbox";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { epoch, listed, startTestNode, type TestNode } from "../testing/test-node.ts";

describe("a node's process that starts again", () => {
  let node: TestNode;
  let next: TestNode | undefined;

  beforeEach(async () => {
    node = await startTestNode();
    next = undefined;
  });
  afterEach(async () => {
    await next?.stop();
    await node.dispose();
  });

  const restart = async () => {
    await node.stop();
    next = await startTestNode({ after: node });
    return next;
  };

  it("takes its sandboxes over with their live fields, under a new boot id", async () => {
    const ids = await node.startSandbox({ generation: 4n });
    await node.sandboxes.update({
      epoch: epoch + 7n,
      ...ids,
      metadata: { entries: { tag: "live" }, revision: 30n },
      endTime: { endAtUs: 77n, remainingMs: 30_000n, revision: 31n },
      egress: { policy: { allowOut: ["1.1.1.1"], denyOut: ["0.0.0.0/0"] }, revision: 32n },
    });
    const before = await listed(node, ids.sandboxId);
    const after = await restart();
    expect(after.orchestrator.bootId).not.toBe(node.orchestrator.bootId);
    const found = await listed(after, ids.sandboxId);
    expect(found).toMatchObject({
      ...ids,
      generation: 4n,
      applied: { metadata: 30n, endTime: 31n, egress: 32n },
      manifest: { teamId: "team", envdAccessToken: "the daemon's token", endTime: { endAtUs: 77n } },
    });
    expect(found?.metadataHash).toEqual(before?.metadataHash);
    expect(found?.manifest?.endTime?.remainingMs).toBeLessThanOrEqual(30_000n);
    expect(found?.manifest?.endTime?.remainingMs).toBeGreaterThan(25_000n);
    // The epoch is kept as well.
    const { result } = await after.sandboxes.update({ epoch, ...ids, metadata: { revision: 40n } });
    expect(result?.outcome).toBe(UpdateOutcome.STALE_EPOCH);
    expect(node.runtime.starts).toHaveLength(1);
  });

  it("puts the written rules in force: its predecessor may have died between the network and the record", async () => {
    const ids = await node.startSandbox();
    await node.sandboxes.update({ epoch, ...ids, egress: { policy: { denyOut: ["10.0.0.0/8"] }, revision: 11n } });
    node.runtime.sandbox(ids.executionId).egress = { allowOut: ["unwritten"], denyOut: [] };
    await restart();
    expect(node.runtime.sandbox(ids.executionId).egress).toEqual({ allowOut: [], denyOut: ["10.0.0.0/8"] });
  });

  it("reports what ended meanwhile, once, and goes on numbering", async () => {
    const first = await node.startSandbox();
    await node.sandboxes.delete({ epoch, ...first });
    const gone = await node.startSandbox();
    const stays = await node.startSandbox();
    await node.stop();
    await node.runtime.stop(gone.executionId);
    next = await startTestNode({ after: node });
    const { sandboxes, deletions } = await next.sandboxes.list({ epoch });
    expect(sandboxes).toMatchObject([stays]);
    expect(deletions).toMatchObject([
      { ...first, cause: DeletionCause.REQUESTED, sequence: 1n },
      { ...gone, cause: DeletionCause.EXITED, sequence: 2n },
    ]);
    await next.sandboxes.list({ epoch, acknowledgeDeletionsTo: 2n });
    await next.stop();
    const third = await startTestNode({ after: node });
    next = third;
    expect((await third.sandboxes.list({ epoch })).deletions).toEqual([]);
    const last = await third.startSandbox();
    await third.sandboxes.delete({ epoch, ...last });
    expect((await third.sandboxes.list({ epoch })).deletions).toMatchObject([{ ...last, sequence: 3n }]);
  });

  it("stops what it has no manifest of, and says that it is gone", async () => {
    const ids = await node.startSandbox();
    await node.stop();
    await writeFile(join(node.stateDir, "manifests", `${ids.executionId}.json`), "{");
    next = await startTestNode({ after: node });
    expect(node.runtime.running.size).toBe(0);
    expect(await next.sandboxes.list({ epoch })).toMatchObject({
      sandboxes: [],
      deletions: [{ ...ids, cause: DeletionCause.EXITED }],
    });
  });

  it("adopts from manifests alone when its log is lost", async () => {
    const ids = await node.startSandbox();
    await node.stop();
    await writeFile(join(node.stateDir, "state.log"), "");
    next = await startTestNode({ after: node });
    expect(await listed(next, ids.sandboxId)).toMatchObject({ ...ids, applied: { metadata: 10n } });
  });

  it("keeps secrets in files that only their owner can read", async () => {
    await node.startSandbox();
    const names = [
      ...(await readdir(join(node.stateDir, "manifests"))).map((name) => `manifests/${name}`),
      "state.log",
    ];
    expect(names).toHaveLength(2);
    for (const name of names) expect((await stat(join(node.stateDir, name))).mode & 0o777).toBe(0o600);
  });

  it("does not start while another process has its directory", async () => {
    await expect(startTestNode({ after: node })).rejects.toMatchObject({ code: "conflict" });
    // And leaves the one that runs alone.
    const ids = await node.startSandbox();
    expect(await listed(node, ids.sandboxId)).toBeDefined();
  });

  it("ends its sandboxes at a shutdown that says so, and reports them afterwards", async () => {
    const ids = await node.startSandbox();
    await node.orchestrator.close({ stopSandboxes: true });
    expect(node.runtime.running.size).toBe(0);
    next = await startTestNode({ after: node });
    expect((await next.sandboxes.list({ epoch })).deletions).toMatchObject([{ ...ids, cause: DeletionCause.SHUTDOWN }]);
  });
});
