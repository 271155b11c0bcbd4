import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { metadataHash } from "@castellan/domain";
import { Sandbox } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listOnNode } from "../support/node-relay.ts";
import { type MetadataState, metadataState, request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

/** Two of the races that ended the attempt upstream: store and node must end with the same, newest edit. */

describe.runIf(canRunSandboxes).each(["sqlite", "redis"] as const)("a node that is away, on %s", (store) => {
  let stack: Stack;
  let sandbox: Sandbox;
  beforeAll(async () => {
    stack = await startStack({ store });
    sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 300_000 });
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  test("an edit while the node does not answer is 202, and the node catches up once it does", async () => {
    const pid = await nodeProcess(stack);
    process.kill(pid, "SIGSTOP");
    let edited: MetadataState;
    try {
      const answer = await patch(stack, sandbox.sandboxId, { stage: "away" });
      expect(answer.status).toBe(202);
      edited = metadataState(answer);
      expect(edited.metadata).toEqual({ stage: "away" });
      expect(edited.appliedRevision).toBeLessThan(edited.revision);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await untilApplied(stack, sandbox.sandboxId, edited.revision);
    await expectAgreement(stack, sandbox.sandboxId);
  });

  test("an edit committed before the node's process dies reaches the process that takes over", async () => {
    const counting = await sandbox.commands.run("while sleep 0.2; do date +%s%N; done > /tmp/ticks", {
      background: true,
    });
    const pid = await nodeProcess(stack);
    process.kill(pid, "SIGSTOP");
    const answer = await patch(stack, sandbox.sandboxId, { stage: "restarted" });
    expect(answer.status).toBe(202);
    process.kill(pid, "SIGKILL");

    const { revision } = metadataState(answer);
    await untilApplied(stack, sandbox.sandboxId, revision);
    await expectAgreement(stack, sandbox.sandboxId);
    expect(await nodeProcess(stack)).not.toBe(pid);
    const ticks = async () => Number((await sandbox.commands.run("wc -l < /tmp/ticks")).stdout);
    const before = await ticks();
    await sleep(1_000);
    expect(await ticks()).toBeGreaterThan(before);
    await counting.disconnect();
  });

  test("a kill that comes while the node's process is being replaced takes its time and succeeds", async () => {
    const doomed = await Sandbox.create("base", connectionOptions(stack));
    process.kill(await nodeProcess(stack), "SIGKILL");
    expect((await request(stack, "DELETE", `/sandboxes/${doomed.sandboxId}`)).status).toBe(204);
    expect((await request(stack, "GET", `/sandboxes/${doomed.sandboxId}`)).status).toBe(404);
  });
});

function patch(stack: Stack, sandboxId: string, body: unknown) {
  return request(stack, "PATCH", `/sandboxes/${sandboxId}/metadata`, { body });
}

async function untilApplied(stack: Stack, sandboxId: string, revision: number): Promise<void> {
  await until(async () => {
    const state = metadataState(await request(stack, "GET", `/sandboxes/${sandboxId}/metadata`));
    return state.appliedRevision >= revision;
  });
}

/** Asks the node itself, not the control plane. */
async function expectAgreement(stack: Stack, sandboxId: string): Promise<void> {
  const state = metadataState(await request(stack, "GET", `/sandboxes/${sandboxId}/metadata`));
  const nodes = await request(stack, "GET", "/nodes");
  const [node] = Array.isArray(nodes.body) ? nodes.body : [];
  const token = (await readFile(join(stack.data, "cluster-token"), "utf8")).trim();
  const list = await listOnNode(node.address, token);
  const held = list.sandboxes.find((one) => one.sandboxId === sandboxId);
  expect(held?.manifest?.metadata?.entries).toEqual(state.metadata);
  expect(Number(held?.applied?.metadata)).toBe(state.revision);
  const hash = metadataHash(new Map(Object.entries(state.metadata)));
  expect(Buffer.from(held?.metadataHash ?? []).equals(Buffer.from(hash))).toBe(true);
}

/** The process of the stack's only node. */
async function nodeProcess(stack: Stack): Promise<number> {
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (parent === stack.process.pid) return Number(pid);
  }
  throw new Error("The node's process was not found");
}
