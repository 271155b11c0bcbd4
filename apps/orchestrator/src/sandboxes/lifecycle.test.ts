import { DeletionCause } from "@castellan/contracts/sandbox";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { epoch, listed, manifestOf, startTestNode, type TestNode } from "../testing/test-node.ts";

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error("did not fail");
    },
    (error: unknown) => ConnectError.from(error),
  );

describe("the life of an execution on a node", () => {
  let node: TestNode;

  beforeEach(async () => {
    node = await startTestNode({ timing: { startMs: 2_000 }, capacity: { sandboxes: 4 } });
  });
  afterEach(() => node.dispose());

  const deletions = async () => (await node.sandboxes.list({ epoch })).deletions;

  it("starts a sandbox, gives its daemon the settings under a secret, and lists it with its seeds", async () => {
    const manifest = manifestOf();
    const answer = await node.sandboxes.create({ epoch, manifest });
    expect(answer).toMatchObject({
      bootId: node.orchestrator.bootId,
      epoch,
      applied: { metadata: 10n, endTime: 10n, egress: 10n },
    });
    const { spec, inits } = node.runtime.sandbox(manifest.executionId);
    expect(spec).toMatchObject({ sandboxId: manifest.sandboxId, hostname: manifest.sandboxId, allowInternet: true });
    expect(JSON.stringify(spec)).not.toContain("hello");
    expect(inits).toMatchObject([
      {
        envVars: { GREETING: "hello", E2B_SANDBOX: "true", E2B_SANDBOX_ID: manifest.sandboxId },
        accessToken: "the daemon's token",
        defaultUser: "user",
      },
    ]);
    const sandbox = await listed(node, manifest.sandboxId);
    expect(sandbox).toMatchObject({ executionId: manifest.executionId, generation: 1n });
    expect(sandbox?.manifest).toMatchObject({
      teamId: "team",
      metadata: { entries: { seeded: "yes" }, revision: 10n },
    });
    expect(sandbox?.manifest?.endTime?.remainingMs).toBeGreaterThan(50_000n);
  });

  it("starts once when the same start is delivered twice at a time, and keeps the newer seed", async () => {
    const manifest = manifestOf();
    const { sandboxId, executionId } = manifest;
    const newer = manifestOf({ sandboxId, executionId, metadata: { entries: { seeded: "again" }, revision: 12n } });
    node.runtime.faults.startMs = 100;
    const answers = await Promise.all([
      node.sandboxes.create({ epoch, manifest }),
      node.sandboxes.create({ epoch, manifest: newer }),
    ]);
    expect(node.runtime.starts).toEqual([manifest.executionId]);
    expect(answers[1].applied?.metadata).toBe(12n);
    const older = await node.sandboxes.create({ epoch, manifest });
    expect(older.applied?.metadata).toBe(12n);
    expect((await listed(node, manifest.sandboxId))?.manifest?.metadata?.entries).toEqual({ seeded: "again" });
    expect(node.runtime.starts).toHaveLength(1);
  });

  it("shows a sandbox to nobody before its daemon has its settings", async () => {
    node.runtime.faults.daemonAfterMs = 300;
    const manifest = manifestOf();
    const starting = node.sandboxes.create({ epoch, manifest });
    await expect.poll(() => node.runtime.running.size).toBe(1);
    expect((await node.sandboxes.list({ epoch })).sandboxes).toEqual([]);
    const { sandboxId, executionId } = manifest;
    const { result } = await node.sandboxes.update({ epoch, sandboxId, executionId, metadata: { revision: 11n } });
    expect(result?.applied?.metadata).toBe(10n);
    expect(result?.message).toBe("The node runs no such sandbox");
    expect(await node.nodes.info({})).toMatchObject({ node: { usage: { starting: 1, sandboxes: 0 } } });
    await starting;
    expect((await node.sandboxes.list({ epoch })).sandboxes).toHaveLength(1);
  });

  it.each([
    ["the runtime fails", { start: new Error("no overlay") }, Code.Internal, /could not be started/],
    ["the daemon never comes", { daemonAfterMs: 60_000 }, Code.DeadlineExceeded, /did not start within 2 seconds/],
    ["the daemon refuses its settings", { initStatus: 400 }, Code.Internal, /refused its settings/],
  ])("leaves nothing behind but the news when %s", async (_name, faults, code, message) => {
    Object.assign(node.runtime.faults, faults);
    const manifest = manifestOf();
    const error = await failure(node.sandboxes.create({ epoch, manifest }));
    expect(error.code).toBe(code);
    expect(error.rawMessage).toMatch(message);
    expect(error.rawMessage).not.toContain("overlay");
    expect(node.runtime.running.size).toBe(0);
    expect(await deletions()).toMatchObject([
      { executionId: manifest.executionId, cause: DeletionCause.START_FAILED, sequence: 1n },
    ]);
    // An execution id starts at most once.
    Object.assign(node.runtime.faults, { start: undefined, daemonAfterMs: 0, initStatus: undefined });
    expect((await failure(node.sandboxes.create({ epoch, manifest }))).code).toBe(Code.Aborted);
  });

  it("does not show a start that failed while it is being cleaned up", async () => {
    Object.assign(node.runtime.faults, { initStatus: 400, stopMs: 300 });
    const starting = failure(node.sandboxes.create({ epoch, manifest: manifestOf() }));
    await expect.poll(() => node.runtime.running.size).toBe(1);
    for (let look = 0; node.runtime.running.size === 1 && look < 100; look += 1) {
      expect((await node.sandboxes.list({ epoch })).sandboxes).toEqual([]);
    }
    expect((await starting).code).toBe(Code.Internal);
  });

  it("gives a start up when its only caller has gone or its time has run out, not while another waits", async () => {
    node.runtime.faults.daemonAfterMs = 400;
    const alone = manifestOf();
    const error = await failure(node.sandboxes.create({ epoch, manifest: alone }, { timeoutMs: 100 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    await expect.poll(() => node.runtime.running.size).toBe(0);
    await expect.poll(deletions).toMatchObject([{ executionId: alone.executionId, cause: DeletionCause.START_FAILED }]);

    const shared = manifestOf();
    const [first, second] = await Promise.allSettled([
      node.sandboxes.create({ epoch, manifest: shared }, { timeoutMs: 100 }),
      node.sandboxes.create({ epoch, manifest: shared }),
    ]);
    expect([first.status, second.status]).toEqual(["rejected", "fulfilled"]);
  });

  it("refuses a start of a template that it does not have, of nonsense, and above its capacity", async () => {
    expect((await failure(node.sandboxes.create({ epoch, manifest: manifestOf({ templateId: "other" }) }))).code).toBe(
      Code.NotFound,
    );
    expect((await failure(node.sandboxes.create({ epoch }))).code).toBe(Code.InvalidArgument);
    const outside = manifestOf({ executionId: "../../etc" });
    expect((await failure(node.sandboxes.create({ epoch, manifest: outside }))).code).toBe(Code.InvalidArgument);
    for (let count = 0; count < 4; count += 1) await node.startSandbox();
    const full = await failure(node.sandboxes.create({ epoch, manifest: manifestOf() }));
    expect(full.code).toBe(Code.ResourceExhausted);
  });

  it("refuses a lower generation than it has seen, and lets a higher one run beside the older", async () => {
    const { sandboxId } = await node.startSandbox({ generation: 3n });
    for (const generation of [2n, 3n]) {
      const error = await failure(node.sandboxes.create({ epoch, manifest: manifestOf({ sandboxId, generation }) }));
      expect(error.code).toBe(Code.Aborted);
    }
    const newer = manifestOf({ sandboxId, generation: 4n, metadata: { entries: {}, revision: 5n } });
    const answer = await node.sandboxes.create({ epoch, manifest: newer });
    // The cache is the sandbox's, and the seed was older.
    expect(answer.applied?.metadata).toBe(10n);
    expect((await node.sandboxes.list({ epoch })).sandboxes).toHaveLength(2);
  });

  it("fails a start that a newer epoch overtakes: who has listed the node since must not be surprised", async () => {
    node.runtime.faults.daemonAfterMs = 300;
    const manifest = manifestOf();
    const starting = failure(node.sandboxes.create({ epoch, manifest }));
    await expect.poll(() => node.runtime.running.size).toBe(1);
    expect((await node.sandboxes.list({ epoch: epoch + 5n })).sandboxes).toEqual([]);
    expect((await starting).code).toBe(Code.FailedPrecondition);
    expect((await node.sandboxes.list({ epoch: epoch + 5n })).sandboxes).toEqual([]);
    expect((await failure(node.sandboxes.list({ epoch }))).code).toBe(Code.FailedPrecondition);
  });

  it("ends an execution once, and says so until it is acknowledged", async () => {
    const ids = await node.startSandbox();
    node.runtime.faults.stopMs = 50;
    const both = await Promise.all([
      node.sandboxes.delete({ epoch, ...ids }),
      node.sandboxes.delete({ epoch, ...ids }),
    ]);
    expect(both.map(({ deleted }) => deleted)).toEqual([true, true]);
    expect(node.runtime.stops).toEqual([ids.executionId]);
    expect(await deletions()).toMatchObject([{ ...ids, cause: DeletionCause.REQUESTED, sequence: 1n }]);
    expect((await node.sandboxes.delete({ epoch, ...ids })).deleted).toBe(true);

    const second = await node.startSandbox();
    node.runtime.exit(second.executionId, true);
    await expect.poll(deletions).toHaveLength(2);
    const left = await node.sandboxes.list({ epoch, acknowledgeDeletionsTo: 1n });
    expect(left.deletions).toMatchObject([{ ...second, cause: DeletionCause.EXITED, sequence: 2n }]);
    expect((await node.sandboxes.list({ epoch, acknowledgeDeletionsTo: 2n })).deletions).toEqual([]);
    expect((await node.sandboxes.delete({ epoch, ...ids })).deleted).toBe(false);
  });

  it("forgets no deletion for an acknowledgement of more than it has told", async () => {
    const ids = await node.startSandbox();
    await node.sandboxes.delete({ epoch, ...ids });
    const { deletions: told } = await node.sandboxes.list({ epoch, acknowledgeDeletionsTo: 1_000n });
    expect(told).toMatchObject([ids]);
  });

  it("keeps its promise: an execution that it called absent never starts", async () => {
    const manifest = manifestOf();
    const { sandboxId, executionId } = manifest;
    expect((await node.sandboxes.delete({ epoch, sandboxId, executionId })).deleted).toBe(false);
    expect((await failure(node.sandboxes.create({ epoch, manifest }))).code).toBe(Code.Aborted);

    await node.stop();
    const next = await startTestNode({ after: node });
    try {
      expect((await failure(next.sandboxes.create({ epoch, manifest }))).code).toBe(Code.Aborted);
      expect(next.runtime.starts).toEqual([]);
      expect((await next.sandboxes.delete({ epoch, sandboxId, executionId })).deleted).toBe(false);
    } finally {
      await next.stop();
    }
  });

  it("ends a start under way when it is deleted", async () => {
    node.runtime.faults.daemonAfterMs = 10_000;
    const manifest = manifestOf();
    const { sandboxId, executionId } = manifest;
    const starting = failure(node.sandboxes.create({ epoch, manifest }));
    await expect.poll(() => node.runtime.running.size).toBe(1);
    expect((await node.sandboxes.delete({ epoch, sandboxId, executionId })).deleted).toBe(true);
    expect((await starting).rawMessage).toMatch(/ended while it was starting/);
    expect(node.runtime.running.size).toBe(0);
    expect(await deletions()).toMatchObject([{ executionId, cause: DeletionCause.REQUESTED }]);
  });

  it("goes on showing a sandbox that it cannot stop, and stops it when asked again", async () => {
    const ids = await node.startSandbox();
    node.runtime.faults.stop = new Error("busy");
    expect((await failure(node.sandboxes.delete({ epoch, ...ids }))).code).toBe(Code.Internal);
    expect((await node.sandboxes.list({ epoch })).sandboxes).toHaveLength(1);
    expect(await deletions()).toEqual([]);
    delete node.runtime.faults.stop;
    expect((await node.sandboxes.delete({ epoch, ...ids })).deleted).toBe(true);
    expect((await node.sandboxes.list({ epoch })).sandboxes).toEqual([]);
  });

  it("says plainly that it cannot pause with memory", async () => {
    for (const verb of ["pause", "checkpoint", "resume"] as const) {
      const error = await failure(node.sandboxes[verb]({ epoch }));
      expect(error.code).toBe(Code.Unimplemented);
      expect(error.rawMessage).toBe("Pause with memory is not available on this node");
    }
  });
});
