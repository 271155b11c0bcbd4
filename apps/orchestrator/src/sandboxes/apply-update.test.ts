import { UpdateOutcome } from "@castellan/contracts/sandbox";
import { metadataHash } from "@castellan/domain";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { epoch, listed, startTestNode, type TestNode, type UpdateInit } from "../testing/test-node.ts";

describe("live edits on a node, over the wire", () => {
  let node: TestNode;
  let ids: { sandboxId: string; executionId: string };

  beforeEach(async () => {
    node = await startTestNode();
    ids = await node.startSandbox();
  });
  afterEach(() => node.dispose());

  const update = async (fields: UpdateInit) => {
    const { result } = await node.sandboxes.update({ epoch, ...ids, ...fields });
    if (result === undefined) throw new Error("no result");
    return result;
  };
  const manifest = async () => {
    const found = (await listed(node, ids.sandboxId))?.manifest;
    if (found === undefined) throw new Error("not listed");
    return found;
  };

  it("absent leaves a field as it is, present and empty clears it, present and set replaces it", async () => {
    const absent = await update({});
    expect(absent).toMatchObject({
      outcome: UpdateOutcome.HELD,
      applied: { metadata: 10n, endTime: 10n, egress: 10n },
    });
    expect((await manifest()).metadata?.entries).toEqual({ seeded: "yes" });

    const set = await update({ metadata: { entries: { a: "1", b: "2" }, revision: 11n } });
    expect(set).toMatchObject({ outcome: UpdateOutcome.HELD, applied: { metadata: 11n, endTime: 10n, egress: 10n } });
    expect((await manifest()).metadata?.entries).toEqual({ a: "1", b: "2" });

    const empty = await update({ metadata: { entries: {}, revision: 12n } });
    expect(empty).toMatchObject({ outcome: UpdateOutcome.HELD, applied: { metadata: 12n } });
    expect((await manifest()).metadata).toMatchObject({ entries: {}, revision: 12n });
  });

  it("clears egress rules with an empty list and leaves the other fields alone", async () => {
    await update({ egress: { policy: { denyOut: ["10.0.0.0/8"] }, revision: 11n } });
    expect(node.runtime.sandbox(ids.executionId).egress).toEqual({ allowOut: [], denyOut: ["10.0.0.0/8"] });
    expect(await update({ egress: { revision: 12n } })).toMatchObject({ outcome: UpdateOutcome.HELD });
    expect(node.runtime.sandbox(ids.executionId).egress).toEqual({ allowOut: [], denyOut: [] });
    expect((await manifest()).metadata?.entries).toEqual({ seeded: "yes" });
  });

  it("keeps the newer of two edits that arrive swapped, and answers with what it holds", async () => {
    expect(await update({ metadata: { entries: { tag: "new" }, revision: 22n } })).toMatchObject({
      applied: { metadata: 22n },
    });
    expect(await update({ metadata: { entries: { tag: "old" }, revision: 21n } })).toMatchObject({
      outcome: UpdateOutcome.HELD,
      applied: { metadata: 22n },
    });
    expect((await manifest()).metadata?.entries).toEqual({ tag: "new" });
  });

  it("lets an older list of rules reach the network neither after a newer one nor beside it", async () => {
    node.runtime.faults.egressMs = 50;
    const rules = (octet: number, revision: bigint) =>
      update({ egress: { policy: { denyOut: [`10.${octet}.0.0/16`] }, revision } });
    await Promise.all([rules(22, 22n), rules(21, 21n)]);
    expect(await rules(20, 20n)).toMatchObject({ outcome: UpdateOutcome.HELD, applied: { egress: 22n } });
    expect(node.runtime.policies).toEqual([{ allowOut: [], denyOut: ["10.22.0.0/16"] }]);
    expect(node.runtime.sandbox(ids.executionId).egress.denyOut).toEqual(["10.22.0.0/16"]);
  });

  it("counts to the newer of two end times that arrive swapped", async () => {
    await update({ endTime: { endAtUs: 2n, remainingMs: 60_000n, revision: 22n } });
    await update({ endTime: { endAtUs: 1n, remainingMs: 5n, revision: 21n } });
    const { endTime } = await manifest();
    expect(endTime).toMatchObject({ endAtUs: 2n, revision: 22n });
    expect(endTime?.remainingMs).toBeGreaterThan(50_000n);
  });

  it("takes an edit once however often it is sent, and does not let it change under the same revision", async () => {
    for (const tag of ["first", "first", "another"]) {
      expect(await update({ metadata: { entries: { tag }, revision: 30n } })).toMatchObject({
        outcome: UpdateOutcome.HELD,
        applied: { metadata: 30n },
      });
    }
    expect((await manifest()).metadata?.entries).toEqual({ tag: "first" });
  });

  it("orders many concurrent edits of one sandbox by revision, whatever way they travel", async () => {
    const revisions = Array.from({ length: 200 }, (_, index) => BigInt(100 + index));
    const shuffled = revisions.map((revision) => ({ revision, key: Math.random() })).sort((a, b) => a.key - b.key);
    await Promise.all(
      shuffled.map(({ revision }) => update({ metadata: { entries: { revision: String(revision) }, revision } })),
    );
    expect((await manifest()).metadata).toMatchObject({ entries: { revision: "299" }, revision: 299n });
  });

  it("treats __proto__, constructor and numbers as ordinary keys, and its hash covers them", async () => {
    const entries = Object.fromEntries([
      ["__proto__", "p"],
      ["constructor", "c"],
      ["7", "n"],
    ]);
    await update({ metadata: { entries, revision: 11n } });
    const found = await listed(node, ids.sandboxId);
    expect(Object.entries(found?.manifest?.metadata?.entries ?? {}).sort()).toEqual(Object.entries(entries).sort());
    expect(Buffer.from(found?.metadataHash ?? [])).toEqual(Buffer.from(metadataHash(new Map(Object.entries(entries)))));
  });

  it("refuses an edit of an older epoch and applies nothing of it", async () => {
    await node.sandboxes.update({ epoch: epoch + 1n, ...ids });
    const { epoch: answered, result } = await node.sandboxes.update({
      epoch,
      ...ids,
      metadata: { entries: { stale: "yes" }, revision: 99n },
    });
    expect(answered).toBe(epoch + 1n);
    expect(result).toMatchObject({ outcome: UpdateOutcome.STALE_EPOCH, applied: { metadata: 10n } });
    expect((await manifest()).metadata?.entries).toEqual({ seeded: "yes" });
  });

  it("does not let an edit through that a newer epoch overtakes while it waits for the network's rules", async () => {
    node.runtime.faults.egressMs = 150;
    const waiting = update({
      egress: { policy: { denyOut: ["10.0.0.0/8"] }, revision: 50n },
      metadata: { entries: { late: "yes" }, revision: 50n },
    });
    await expect.poll(() => node.runtime.policies.length).toBe(1);
    const { sandboxes } = await node.sandboxes.list({ epoch: epoch + 1n });
    expect(sandboxes[0]?.applied).toMatchObject({ metadata: 10n, egress: 10n });
    expect(await waiting).toMatchObject({ outcome: UpdateOutcome.STALE_EPOCH });
    const after = await listed(node, ids.sandboxId);
    expect(after?.applied).toMatchObject({ metadata: 10n, egress: 10n });
    expect(node.runtime.sandbox(ids.executionId).egress).toEqual({ allowOut: [], denyOut: [] });
  });

  it("tells an edit of another execution from one of an unknown sandbox", async () => {
    expect(await update({ executionId: "eanother", metadata: { revision: 11n } })).toMatchObject({
      outcome: UpdateOutcome.OTHER_EXECUTION,
      applied: { metadata: 10n },
    });
    expect(await update({ sandboxId: "iunknown", metadata: { revision: 11n } })).toMatchObject({
      outcome: UpdateOutcome.NOT_FOUND,
      applied: { metadata: 0n },
    });
    expect((await manifest()).metadata?.entries).toEqual({ seeded: "yes" });
  });

  it("applies nothing of a request whose egress rules fail, and puts the old rules back", async () => {
    await update({ egress: { policy: { denyOut: ["10.1.0.0/16"] }, revision: 11n } });
    node.runtime.faults.egress = new Error("nft says no");
    const before = await manifest();
    const failed = await update({
      egress: { policy: { denyOut: ["10.2.0.0/16"] }, revision: 12n },
      metadata: { entries: { must: "not appear" }, revision: 12n },
      endTime: { endAtUs: 1n, remainingMs: 1n, revision: 12n },
    });
    expect(failed).toMatchObject({
      outcome: UpdateOutcome.FAILED,
      applied: { metadata: 10n, endTime: 10n, egress: 11n },
    });
    expect(failed.message).not.toContain("nft");
    expect(node.runtime.policies.at(-1)).toEqual({ allowOut: [], denyOut: ["10.1.0.0/16"] });
    const after = await manifest();
    expect(after.metadata).toEqual(before.metadata);
    expect(after.endTime?.revision).toBe(10n);

    // Broken rules do not hold metadata back: it comes in a request of its own.
    expect(await update({ metadata: { entries: { on: "its own" }, revision: 13n } })).toMatchObject({
      outcome: UpdateOutcome.HELD,
      applied: { metadata: 13n },
    });
  });

  it("refuses what no client could have sent, and changes nothing", async () => {
    const key = "k".repeat(40);
    const tooMany = Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`${key}${index}`, "v"]));
    for (const fields of [
      { metadata: { entries: tooMany, revision: 11n } },
      { metadata: { revision: 2n ** 60n } },
      { egress: { policy: { denyOut: ["not an address"] }, revision: 11n } },
    ]) {
      expect(await update(fields)).toMatchObject({
        outcome: UpdateOutcome.FAILED,
        applied: { metadata: 10n, egress: 10n },
      });
    }
    expect((await manifest()).metadata?.entries).toEqual({ seeded: "yes" });
  });

  it("gives a sandbox that was created without internet access what later rules say, and nothing else", async () => {
    const closed = await node.startSandbox({ allowInternetAccess: false });
    await node.sandboxes.update({ epoch, ...closed, egress: { policy: { allowOut: ["1.1.1.1"] }, revision: 11n } });
    expect(node.runtime.sandbox(closed.executionId).egress).toEqual({ allowOut: ["1.1.1.1"], denyOut: [] });
  });
});
