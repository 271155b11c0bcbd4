import { CastellanError } from "@castellan/domain";
import type { Confirmation } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Cluster, gate, overriding, startCluster } from "../testing/cluster.ts";
import { createWriteBack, type WriteBack } from "./write-back.ts";

describe("bringing confirmations into the store", () => {
  let cluster: Cluster;
  let writeBack: WriteBack;
  let steps: Confirmation[][];
  let before: (() => Promise<void>) | undefined;

  beforeEach(async () => {
    cluster = await startCluster({ loops: false });
    await cluster.create();
    steps = [];
    before = undefined;
    const { store } = cluster;
    const watched = overriding(store, {
      async confirm(reports) {
        steps.push([...reports]);
        await before?.();
        await store.confirm(reports);
      },
    });
    writeBack = createWriteBack(watched, createLogger("test", "silent"));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await writeBack.close();
    await cluster[Symbol.asyncDispose]();
  });

  async function confirmation(metadata: number, bootId = cluster.node.bootId): Promise<Confirmation> {
    const [record] = await cluster.store.listOnNode("node1");
    if (record === undefined) throw new Error("there is one");
    const { teamId, sandboxId, executionId, epoch } = record;
    return { teamId, sandboxId, executionId, epoch, bootId, applied: { metadata, endTime: 0, egress: 0 } };
  }

  test("what is confirmed in one turn goes in one step, the highest revision of each execution", async () => {
    const [older, newer] = [await confirmation(5), await confirmation(7)];
    writeBack.note(newer);
    writeBack.note(older);
    expect(writeBack.pending(newer.executionId, newer.epoch)?.metadata).toBe(7);
    await writeBack.flushed();
    expect(steps).toEqual([[newer]]);
    expect(writeBack.pending(newer.executionId, newer.epoch)).toBeUndefined();
  });

  test("what is confirmed while the store is busy goes in the next step, and is known all the while", async () => {
    const [busy, first, second] = [gate(), await confirmation(5), await confirmation(6)];
    before = () => busy.opened;
    writeBack.note(first);
    await vi.waitFor(() => expect(steps).toHaveLength(1));
    writeBack.note(second);
    expect(writeBack.pending(first.executionId, first.epoch)?.metadata).toBe(6);
    busy.open();
    await writeBack.flushed();
    expect(steps).toEqual([[first], [second]]);
  });

  test("a newer boot's report replaces an older boot's, also with a lower revision", async () => {
    writeBack.note(await confirmation(9, "boot1"));
    const reborn = await confirmation(4, "boot2");
    writeBack.note(reborn);
    await writeBack.flushed();
    expect(steps).toEqual([[reborn]]);
  });

  test("a store that does not answer is asked again", async () => {
    let failures = 2;
    before = async () => {
      failures -= 1;
      if (failures >= 0) throw new CastellanError("unavailable", "not now");
    };
    const note = await confirmation(Number.MAX_SAFE_INTEGER);
    writeBack.note(note);
    await writeBack.flushed();
    expect(steps).toHaveLength(3);
    const record = await cluster.store.get(note.teamId, note.sandboxId);
    expect(record?.metadata.applied).toBe(Number.MAX_SAFE_INTEGER);
  });
});
