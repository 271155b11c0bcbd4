import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { SandboxManifestSchema, SandboxUpdateRequestSchema } from "@castellan/contracts/sandbox";
import type { Confirmation } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectToNode, type NodeClient } from "../nodes/node-client.ts";
import { clusterToken, gate } from "../testing/cluster.ts";
import { PeerNode } from "../testing/peer-node.ts";
import { createNodeUpdates, type NodeUpdates } from "./node-updates.ts";
import type { Update } from "./update-ledger.ts";

describe("updates on their way to a node", () => {
  let node: PeerNode;
  let client: NodeClient;
  let updates: NodeUpdates;
  let reports: Confirmation[];

  beforeEach(async () => {
    node = new PeerNode("node1", clusterToken);
    await node.up();
    for (const sandboxId of ["a", "b", "c"]) {
      node.plant(create(SandboxManifestSchema, { sandboxId, executionId: `e${sandboxId}`, generation: 1n }));
    }
    client = connectToNode(node.address, clusterToken);
    reports = [];
    updates = open(500);
  });
  afterEach(async () => {
    updates.close();
    client.close();
    await node.down();
  });

  function open(answerMs: number): NodeUpdates {
    return createNodeUpdates({
      nodeId: "node1",
      client,
      logger: createLogger("test", "silent"),
      onReport: (report) => reports.push(report),
      answerMs,
      callMs: 500,
    });
  }

  function metadata(sandboxId: string, revision: number, epoch = 1): Update {
    const executionId = `e${sandboxId}`;
    return {
      teamId: "team1",
      sandboxId,
      executionId,
      field: "metadata",
      revision,
      epoch,
      message: () =>
        create(SandboxUpdateRequestSchema, {
          sandboxId,
          executionId,
          epoch: BigInt(epoch),
          metadata: { entries: { revision: String(revision) }, revision: BigInt(revision) },
        }),
    };
  }

  /** Opens the stream. */
  const warmUp = () => updates.send(metadata("c", 1), 2_000);

  test("what becomes due in one turn of the event loop leaves as one message", async () => {
    await warmUp();
    const before = node.messages;
    const someSteps = async (update: Update, steps: number) => {
      for (let step = 0; step < steps; step += 1) await undefined;
      return updates.send(update, 2_000);
    };
    const held = [someSteps(metadata("a", 5), 0), someSteps(metadata("b", 6), 20), someSteps(metadata("c", 7), 40)];
    expect(await Promise.all(held)).toEqual([true, true, true]);
    expect(node.messages - before).toBe(1);
  });

  test("what becomes due while a message is unanswered leaves as one message, but not much later", async () => {
    await warmUp();
    const stuck = gate();
    node.hooks.update = (update) => (update.sandboxId === "a" ? stuck.opened : undefined);
    const before = node.messages;
    const first = updates.send(metadata("a", 5), 2_000);
    await sleep(50);
    const second = updates.send(metadata("b", 6), 2_000);
    await nextTurn();
    await nextTurn();
    const third = updates.send(metadata("c", 7), 2_000);
    expect(await Promise.all([second, third])).toEqual([true, true]);
    expect(node.messages - before).toBe(2);
    stuck.open();
    expect(await first).toBe(true);
  });

  test("an update overtaken before it leaves is never sent, and whoever waited for it is told by the newer one", async () => {
    await warmUp();
    const held = await Promise.all([5, 7, 6].map((revision) => updates.send(metadata("a", revision), 2_000)));
    expect(held).toEqual([true, true, true]);
    expect(node.arrived.slice(1)).toEqual(["metadata@7"]);
  });

  test("an update overtaken after it left is confirmed by whichever answer comes first", async () => {
    await warmUp();
    const stuck = gate();
    node.hooks.update = (update) => (update.metadata?.revision === 5n ? stuck.opened : undefined);
    const older = updates.send(metadata("a", 5), 2_000);
    await sleep(50);
    expect(await updates.send(metadata("a", 6), 2_000)).toBe(true);
    expect(await older).toBe(true);
    stuck.open();
  });

  test("a late answer to an older update does not confirm a newer one", async () => {
    await warmUp();
    const [first, second] = [gate(), gate()];
    node.hooks.update = (update) => (update.metadata?.revision === 5n ? first.opened : second.opened);
    const older = updates.send(metadata("a", 5), 2_000);
    await sleep(50);
    const newer = updates.send(metadata("a", 6), 300);
    await sleep(50);
    first.open();
    expect(await older).toBe(true);
    expect(await newer).toBe(false);
    second.open();
  });

  test("a confirmation of another epoch confirms nothing", async () => {
    await warmUp();
    const stray: Update = { ...metadata("a", 5, 1), epoch: 2 };
    expect(await updates.send(stray, 2_000)).toBe(false);
  });

  test("an update that nobody takes is given up at its deadline, not before and not much after", async () => {
    await node.down();
    const began = performance.now();
    expect(await updates.send(metadata("a", 5), 400)).toBe(false);
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(399);
    expect(took).toBeLessThan(2_000);
  });

  test("when the stream breaks, what was on it and is still waited for is sent again", async () => {
    await warmUp();
    const arrived = gate();
    node.hooks.update = () => {
      arrived.open();
      return new Promise(() => {});
    };
    const waiting = updates.send(metadata("a", 5), 5_000);
    await arrived.opened;
    delete node.hooks.update;
    await node.down();
    await node.up();
    expect(await waiting).toBe(true);
    expect(node.sandboxes.get("a")?.applied.metadata).toBe(5n);
  });

  test("a stream on which nothing is answered is given up and replaced", async () => {
    await warmUp();
    let silent = true;
    node.hooks.update = () => (silent ? new Promise(() => {}) : undefined);
    const waiting = updates.send(metadata("a", 5), 5_000);
    await sleep(50);
    silent = false;
    expect(await waiting).toBe(true);
  });

  test("a refusal is told at once and says nothing about other sandboxes", async () => {
    updates.close();
    updates = open(20_000);
    await warmUp();
    const began = performance.now();
    const held = await Promise.all([updates.send(metadata("gone", 5), 20_000), updates.send(metadata("b", 6), 20_000)]);
    expect(held).toEqual([false, true]);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test("every confirmation is reported with the boot and epoch that it came from", async () => {
    await updates.send(metadata("a", 5), 2_000);
    expect(reports).toEqual([
      {
        teamId: "team1",
        sandboxId: "a",
        executionId: "ea",
        epoch: 1,
        bootId: node.bootId,
        applied: { metadata: 5, endTime: 0, egress: 0 },
      },
    ]);
  });

  test("closing answers whoever waits, and takes nothing more", async () => {
    node.hooks.update = () => new Promise(() => {});
    const waiting = updates.send(metadata("a", 5), 20_000);
    await sleep(50);
    updates.close();
    expect(await waiting).toBe(false);
    expect(await updates.send(metadata("a", 6), 20_000)).toBe(false);
  });

  test("a burst of a thousand edits over many sandboxes is confirmed in far fewer messages", async () => {
    const ids = Array.from({ length: 50 }, (_, n) => `s${n}`);
    for (const sandboxId of ids) {
      node.plant(create(SandboxManifestSchema, { sandboxId, executionId: `e${sandboxId}`, generation: 1n }));
    }
    const edits = ids.flatMap((id) => Array.from({ length: 20 }, (_, n) => updates.send(metadata(id, n + 1), 5_000)));
    expect(new Set(await Promise.all(edits))).toEqual(new Set([true]));
    expect(node.messages).toBeLessThan(5);
    expect(node.arrived).toHaveLength(50);
  });
});
