import { metadataLimits, newExecutionId, newOperationId, type SandboxRecord } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import type { AdoptedSandbox, SandboxStore } from "../store.ts";
import {
  appliedOf,
  createOne,
  edit,
  idsOf,
  keyOf,
  manifest,
  metadataEdit,
  newEpoch,
  newTeam,
  pauseOne,
  refuses,
  report,
  revisionsOf,
  runOne,
  type Subject,
  stored,
  tags,
  verifyOne,
} from "./fixture.ts";

const waits = /waits for the nodes/;

/** What a node holds of the record: by a later epoch of the store than the record is of. */
async function held(
  store: SandboxStore,
  record: SandboxRecord,
  metadata: Readonly<Record<string, string>>,
  changes: Partial<AdoptedSandbox> = {},
): Promise<AdoptedSandbox> {
  const { bootId: _boot, ...rest } = record;
  return {
    ...rest,
    bootId: "boot-1",
    metadata: { value: tags(metadata), revision: record.metadata.revision + 10 },
    epoch: await store.epoch(),
    ...changes,
  };
}

async function edits(store: SandboxStore, { teamId, sandboxId }: SandboxRecord) {
  const common = { teamId, sandboxId, epoch: await store.epoch(), operationId: newOperationId() };
  return {
    extend: (lifetimeMs: number, mode: "set" | "extend" = "extend") =>
      store.editEndTime({ ...common, operationId: newOperationId(), lifetimeMs, mode }),
    allow: (address: string) =>
      store.editEgress({ ...common, operationId: newOperationId(), policy: { allowOut: [address], denyOut: [] } }),
  };
}

export function describeRecovery(subject: Subject): void {
  describe("a record from before the epoch", () => {
    it("takes no edit, is not ended and is not removed, until it is verified", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { lifetimeMs: 1 });
      const known = await metadataEdit(store, record, { a: "1" });
      const { record: edited } = await store.editMetadata(known);
      await newEpoch(store);
      const { extend, allow } = await edits(store, record);
      await refuses(edit(store, record, { a: "2" }), "unavailable", waits);
      await refuses(extend(1000), "unavailable", waits);
      await refuses(allow("10.0.0.1"), "unavailable", waits);
      await refuses(store.remove(keyOf(record)), "unavailable", waits);
      expect(await store.claimEnded(keyOf(record), "killing", 1000)).toBeUndefined();
      // What was done before is known, and nothing that a node says of what it holds verifies anything.
      expect(await store.editMetadata(known)).toMatchObject({ replayed: true });
      await store.confirm([report(edited, revisionsOf(edited), { epoch: await store.epoch() })]);
      await refuses(edit(store, record, { a: "2" }), "unavailable", waits);
      expect(await stored(store, record)).toEqual({ ...edited, ...(await stored(store, record)), epoch: edited.epoch });

      await verifyOne(store, record, { fully: false });
      expect((await edit(store, record, { a: "2" })).changed).toBe(true);
      expect((await stored(store, record)).epoch).toBe(await store.epoch());
      expect(await store.claimEnded(keyOf(record), "killing", 1000)).toMatchObject({ state: "killing" });
      expect(await store.remove(keyOf(record))).toBe(true);
    });

    it("takes no edit with a condition, and no start, until every node has reported", async () => {
      const { store } = subject;
      const paused = await pauseOne(store, await runOne(store, await newTeam(store)));
      await newEpoch(store);
      await verifyOne(store, paused, { fully: false });
      const ifMatch = paused.metadata.revision;
      await refuses(edit(store, paused, { a: "1" }, { ifMatch }), "unavailable", waits);
      const next = { executionId: newExecutionId(), generation: 2, nodeId: "node-1" };
      const start = () => store.transition({ ...keyOf(paused), from: ["paused"], to: "resuming", next });
      await refuses(start(), "unavailable", waits);
      await verifyOne(store, paused);
      expect((await edit(store, paused, { a: "1" }, { ifMatch })).changed).toBe(true);
      expect(await start()).toMatchObject({ state: "resuming", generation: 2 });
    });

    it("keeps an edit without effect as long as a node may know more, and not any longer", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { metadata: tags({ a: "1" }) });
      await newEpoch(store);
      await verifyOne(store, record, { fully: false });
      const { record: edited, changed } = await edit(store, record, { a: "1" });
      expect(changed).toBe(true);
      expect(edited.metadata.revision).toBeGreaterThan(record.metadata.revision);
      await verifyOne(store, record);
      expect((await edit(store, record, { a: "1" })).changed).toBe(false);
    });

    it("is verified as the execution that it has, and in the epoch that is in force", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const epoch = await newEpoch(store);
      await verifyOne(store, { ...keyOf(record), executionId: newExecutionId() });
      await refuses(edit(store, record, { a: "1" }), "unavailable", waits);
      await refuses(
        store.verify(epoch - 1, [{ ...keyOf(record), fully: true, ownNode: "reported" }]),
        "unavailable",
        /new epoch/,
      );
      await verifyOne(store, record);
      // Less than what is known already changes nothing.
      await verifyOne(store, record, { fully: false });
      expect(await stored(store, record)).toMatchObject({ epoch, fullyVerified: true });
    });

    it("counts as known to nobody when its node was forgotten", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      await newEpoch(store);
      await verifyOne(store, record, { ownNode: "forgotten" });
      const after = await stored(store, record);
      expect(appliedOf(after)).toEqual({ metadata: 0, endTime: 0, egress: 0 });
      expect(after.bootId).toBeUndefined();
      expect(idsOf(await store.listPushDue(1000), record.teamId)).toEqual([record.sandboxId]);
    });

    it("is what a node runs and the store has forgotten, too", async () => {
      const { store } = subject;
      const found = await manifest(store, await newTeam(store));
      await store.adopt(found);
      await refuses(edit(store, found, { a: "1" }), "unavailable", waits);
      await verifyOne(store, found);
      expect((await edit(store, found, { a: "1" })).changed).toBe(true);
    });
  });

  describe("what a node holds and the store has forgotten", () => {
    it("is taken with its revisions, and found by its tags", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { metadata: tags({ a: "1" }) });
      await newEpoch(store);
      const found = await held(
        store,
        record,
        { a: "2", b: "3" },
        {
          endTime: { value: record.endTime.value + 5, revision: record.endTime.revision + 1 },
          egress: { value: { allowOut: ["10.0.0.1"], denyOut: [] }, revision: record.egress.revision + 2 },
        },
      );
      expect(await store.adopt(found)).toBe("adopted");
      const after = await stored(store, record);
      expect(after).toMatchObject({
        metadata: { ...found.metadata, applied: found.metadata.revision },
        endTime: { ...found.endTime, applied: found.endTime.revision },
        egress: { ...found.egress, applied: found.egress.revision },
      });
      expect(await store.countRunning(record.teamId, tags({ a: "2", b: "3" }))).toBe(1);
      expect(await store.countRunning(record.teamId, tags({ a: "1" }))).toBe(0);
      expect(await store.adopt(found)).toBe("known");
      expect(await stored(store, record)).toEqual(after);
    });

    it("is taken field by field: a node may be ahead in one and behind in another", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      await newEpoch(store);
      const endTime = { value: 1, revision: record.endTime.revision - 1 };
      expect(await store.adopt(await held(store, record, { a: "2" }, { endTime }))).toBe("adopted");
      const after = await stored(store, record);
      expect(after.endTime).toMatchObject({ value: record.endTime.value, revision: record.endTime.revision });
      expect(after.metadata.value).toEqual(tags({ a: "2" }));
    });

    it("goes under the edits of this epoch when it comes late, removals and those without effect among them", async () => {
      const { store } = subject;
      const metadata = tags({ same: "1", gone: "1", old: "1" });
      const record = await runOne(store, await newTeam(store), { metadata });
      await newEpoch(store);
      await verifyOne(store, record, { fully: false });
      await edit(store, record, { own: "2", never: null });
      const { record: own } = await edit(store, record, { same: "1", gone: null });
      const found = await held(store, record, { same: "9", gone: "9", never: "9", own: "9", old: "9", found: "9" });
      expect(await store.adopt(found)).toBe("merged");
      const after = await stored(store, record);
      expect(after.metadata.value).toEqual(tags({ own: "2", same: "1", old: "9", found: "9" }));
      expect(after.metadata.revision).toBeGreaterThan(own.metadata.revision);
      expect(after.metadata.revision).toBeGreaterThan(found.metadata.revision);
      expect(after.metadata.applied).toBe(found.metadata.revision);
      const history = await store.metadataHistory(record.teamId, record.sandboxId, { limit: 1 });
      const delta = new Map([...tags({ old: "9", found: "9" })]);
      const merged = { kind: "merged", revision: after.metadata.revision, delta, at: expect.any(Number) };
      expect(history?.entries).toEqual([merged]);
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), record.teamId), { timeout: 5000 })
        .toEqual([record.sandboxId]);
      expect(await store.countRunning(record.teamId, tags({ found: "9", own: "2" }))).toBe(1);
      // The same word again is no news.
      expect(await store.adopt(found)).toBe("known");
      expect(await stored(store, record)).toEqual(after);
    });

    it("goes under them also in the epoch after, if not every node had reported by then", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      await newEpoch(store);
      await verifyOne(store, record, { fully: false });
      await edit(store, record, { own: "1" });
      await newEpoch(store);
      const found = await held(store, record, { own: "9", found: "9" });
      expect(await store.adopt(found)).toBe("merged");
      expect((await stored(store, record)).metadata.value).toEqual(tags({ own: "1", found: "9" }));
    });

    it("does not go under what was edited after every node had reported, for that knew it", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      await newEpoch(store);
      await verifyOne(store, record, { fully: false });
      await edit(store, record, { own: "1" });
      await verifyOne(store, record);
      const before = (await edit(store, record, { own: "2" })).record;
      expect(await store.adopt(await held(store, record, { own: "9" }))).toBe("known");
      expect(await stored(store, record)).toEqual(before);
    });

    it("leaves own rules of the network and an end that was set, and of two extensions the longer", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      for (const [mode, expected] of [
        ["extend", "theirs"],
        ["set", "ours"],
      ] as const) {
        const record = await runOne(store, teamId);
        await newEpoch(store);
        await verifyOne(store, record, { fully: false });
        const { extend, allow } = await edits(store, record);
        const { record: ours } = await extend(120_000, mode);
        await allow("10.0.0.1");
        const endTime = { value: ours.endTime.value + 60_000_000, revision: record.endTime.revision + 1 };
        const egress = { value: { allowOut: ["10.9.9.9"], denyOut: [] }, revision: record.egress.revision + 1 };
        expect(await store.adopt(await held(store, record, {}, { endTime, egress }))).toBe("merged");
        const after = await stored(store, record);
        expect(after.endTime.value).toBe(expected === "ours" ? ours.endTime.value : endTime.value);
        expect(after.endTime.revision).toBeGreaterThan(ours.endTime.revision);
        expect(after.egress.value).toEqual({ allowOut: ["10.0.0.1"], denyOut: [] });
        expect(after.egress.revision).toBeGreaterThan(egress.revision);
      }
    });

    it("stays within the limits of the whole, where own edits come first", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      await newEpoch(store);
      await verifyOne(store, record, { fully: false });
      const own = Array.from({ length: 200 }, (_, n) => [`own${n}`, "1"] as const);
      await edit(store, record, new Map(own));
      const theirs = Array.from({ length: metadataLimits.keys }, (_, n) => [`found${n}`, "\\"] as const);
      const value = new Map(theirs);
      const found = await held(store, record, {}, { metadata: { value, revision: record.metadata.revision + 1 } });
      expect(await store.adopt(found)).toBe("merged");
      const { metadata } = await stored(store, record);
      expect(metadata.value.size).toBe(metadataLimits.keys);
      expect([...own, ...theirs.slice(0, 56)].every(([key, one]) => metadata.value.get(key) === one)).toBe(true);
      await refuses(edit(store, record, { more: "1" }), "invalid_argument");
    });

    it("is refused in another epoch", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const epoch = await newEpoch(store);
      await refuses(store.adopt(await held(store, record, { a: "1" }, { epoch: epoch - 1 })), "unavailable");
    });

    it("keeps no more own edits than it has room for", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      await newEpoch(store);
      await verifyOne(store, record, { fully: false });
      // Removals of what nobody has: they may matter all the same, and the record itself stays small.
      const remove = (from: number) =>
        edit(store, record, new Map(Array.from({ length: 200 }, (_, n) => [`k${from + n}`, null])));
      for (const from of [0, 200, 400, 600, 800]) await remove(from);
      await refuses(remove(1000), "unavailable", waits);
      await remove(0);
      await verifyOne(store, record);
      expect((await remove(1000)).changed).toBe(false);
    });
  });

  describe("a newer execution that a node runs and the store has forgotten", () => {
    it("becomes the record's, whatever state the record was in", async () => {
      const { store } = subject;
      const paused = await pauseOne(store, await runOne(store, await newTeam(store), { metadata: tags({ a: "1" }) }));
      await newEpoch(store);
      const newer = { executionId: newExecutionId(), generation: 2, nodeId: "node-2", bootId: "boot-9" };
      const found = await held(store, paused, { a: "2" }, { ...newer, startedAt: paused.startedAt + 7 });
      expect(await store.adopt(found)).toBe("adopted");
      const after = await stored(store, paused);
      expect(after).toMatchObject({ ...newer, state: "running", startedAt: paused.startedAt + 7 });
      expect(after.metadata).toEqual({ value: tags({ a: "2" }), ...revisionPair(found.metadata.revision) });
      expect(idsOf(await store.listOnNode("node-2"), paused.teamId)).toEqual([paused.sandboxId]);
      expect(await store.countRunning(paused.teamId, tags({ a: "2" }))).toBe(1);
      await refuses(edit(store, paused, { a: "3" }), "unavailable", waits);
    });

    it("takes the edits of this epoch along", async () => {
      const { store } = subject;
      const paused = await pauseOne(store, await runOne(store, await newTeam(store)));
      await newEpoch(store);
      await verifyOne(store, paused, { fully: false });
      await edit(store, paused, { own: "1" });
      const newer = { executionId: newExecutionId(), generation: 2, nodeId: "node-2" };
      expect(await store.adopt(await held(store, paused, { found: "9" }, newer))).toBe("merged");
      expect((await stored(store, paused)).metadata.value).toEqual(tags({ own: "1", found: "9" }));
    });

    it("is ended where the sandbox was being killed, and none that is older or as old counts", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const other = { executionId: newExecutionId(), nodeId: "node-2" };
      await newEpoch(store);
      for (const generation of [0, 1]) {
        expect(await store.adopt(await held(store, record, { a: "9" }, { ...other, generation }))).toBe("known");
      }
      await store.transition({ ...keyOf(record), from: ["running"], to: "killing" });
      expect(await store.adopt(await held(store, record, { a: "9" }, { ...other, generation: 2 }))).toBe("adopted");
      expect(await stored(store, record)).toMatchObject({ ...other, state: "killing", generation: 2 });
    });
  });

  it("a start that a node has carried out and of which the store has forgotten the end is running", async () => {
    const { store } = subject;
    const created = await createOne(store, await newTeam(store));
    const metadata = { value: created.metadata.value, revision: created.metadata.revision };
    // In its own epoch whoever is starting it says so.
    expect(await store.adopt(await held(store, created, {}, { metadata }))).toBe("known");
    await newEpoch(store);
    expect(await store.adopt(await held(store, created, {}, { metadata }))).toBe("adopted");
    const after = await stored(store, created);
    expect(after).toMatchObject({ state: "running", bootId: "boot-1" });
    expect(after.stateDeadline).toBeUndefined();
  });
}

function revisionPair(revision: number) {
  return { revision, applied: revision };
}
