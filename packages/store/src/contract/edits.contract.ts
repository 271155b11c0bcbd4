import { newOperationId, type SandboxRecord } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import type { EgressEdit, EndTimeEdit, SandboxStore } from "../store.ts";
import {
  createOne,
  edit,
  idsOf,
  keyOf,
  metadataEdit,
  newTeam,
  openPolicy,
  pauseOne,
  refuses,
  runOne,
  type Subject,
  stored,
  tags,
} from "./fixture.ts";

export function describeEdits(subject: Subject): void {
  describe("editing metadata", () => {
    it("merges the delta into what is stored: sets, removes, and leaves the rest", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { metadata: tags({ keep: "1", set: "1", gone: "1" }) });
      const { record: edited, changed, replayed } = await edit(store, record, { set: "2", new: "3", gone: null });
      expect({ changed, replayed }).toEqual({ changed: true, replayed: false });
      expect(edited.metadata.value).toEqual(tags({ keep: "1", set: "2", new: "3" }));
      expect(edited.metadata.revision).toBeGreaterThan(record.metadata.revision);
      expect(edited.metadata.applied).toBe(record.metadata.applied);
      expect(await stored(store, record)).toEqual(edited);
    });

    it("keeps every one of many edits of different keys that are made at once", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`);
      const commits = await Promise.all(keys.map((key) => edit(store, record, { [key]: key })));
      const { metadata } = await stored(store, record);
      expect(metadata.value).toEqual(new Map(keys.map((key) => [key, key])));
      const revisions = commits.map((commit) => commit.record.metadata.revision);
      expect(new Set(revisions).size).toBe(100);
      expect(Math.max(...revisions)).toBe(metadata.revision);
    });

    it("keeps each key as it is, also those that JSON.parse takes for one another", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      for (const odd of ["\\", "\n", '"', "\\n", "\n?", "\\u0", "\u0000BC"]) {
        const envVars = { a: "1", [odd]: "1" };
        const record = await runOne(store, teamId, { metadata: tags({ a: "1" }), envVars });
        await edit(store, record, { [odd]: "1" });
        const { metadata, ...read } = await stored(store, record);
        expect([...metadata.value.keys()].sort()).toEqual(["a", odd].sort());
        expect(Object.keys(read.envVars).sort()).toEqual(["a", odd].sort());
      }
    });

    it("without effect keeps the revision and is no change", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { metadata: tags({ a: "1" }) });
      const deltas: Record<string, string | null>[] = [{}, { a: "1" }, { b: null }, { a: "1", b: null }];
      for (const delta of deltas) {
        const commit = await edit(store, record, delta);
        expect(commit).toEqual({ record, changed: false, replayed: false });
      }
    });

    it("gives revisions that grow even when many fall into one microsecond, exact to the last digit", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      let before = record.metadata.revision;
      for (let i = 0; i < 20; i += 1) {
        const { metadata } = (await edit(store, record, { n: String(i) })).record;
        expect(metadata.revision).toBeGreaterThan(before);
        expect(Number.isSafeInteger(metadata.revision)).toBe(true);
        before = metadata.revision;
      }
      expect(Math.abs(before - (await store.now()))).toBeLessThan(60_000_000);
    });

    it("with the same operation id takes effect once, whatever came in between", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const first = await metadataEdit(store, record, { a: "first" });
      await store.editMetadata(first);
      const second = await edit(store, record, { a: "second" });
      expect(await store.editMetadata(first)).toEqual({ record: second.record, changed: false, replayed: true });

      // Also when the state, the revision or the epoch would refuse it by now.
      await store.transition({ ...keyOf(record), from: ["running"], to: "killing" });
      const again = { ...first, ifMatch: 1, epoch: first.epoch - 1 };
      expect((await store.editMetadata(again)).replayed).toBe(true);
    });

    it("remembers the operation id of an edit without effect, so that a late duplicate has none either", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { metadata: tags({ a: "1" }) });
      const first = await metadataEdit(store, record, { a: "1" });
      expect(await store.editMetadata(first)).toMatchObject({ changed: false, replayed: false });
      expect(await store.editMetadata(first)).toMatchObject({ changed: false, replayed: true });
      await edit(store, record, { a: "2" });
      expect(await store.editMetadata(first)).toMatchObject({ changed: false, replayed: true });
      expect((await stored(store, record)).metadata.value).toEqual(tags({ a: "2" }));
    });

    it("keeps operation ids of different sandboxes apart", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const [one, two] = [await runOne(store, teamId), await runOne(store, teamId)];
      const operationId = newOperationId();
      expect((await edit(store, one, { a: "1" }, { operationId })).replayed).toBe(false);
      expect((await edit(store, two, { a: "1" }, { operationId })).replayed).toBe(false);
    });

    it("with a revision that differs changes nothing and leaves the operation id free", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const wrong = await metadataEdit(store, record, { a: "1" }, { ifMatch: record.metadata.revision + 1 });
      await refuses(store.editMetadata(wrong), "precondition_failed");
      expect(await stored(store, record)).toEqual(record);
      const right = { ...wrong, ifMatch: record.metadata.revision };
      expect((await store.editMetadata(right)).changed).toBe(true);
      await refuses(edit(store, record, { b: "1" }, { ifMatch: record.metadata.revision }), "precondition_failed");
    });

    it("lets exactly one of many with the same revision through", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const ifMatch = record.metadata.revision;
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => edit(store, record, { winner: String(i) }, { ifMatch })),
      );
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    });

    it("is refused in another epoch, before anything is said about the sandbox", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const epoch = (await store.epoch()) - 1;
      await refuses(edit(store, record, { a: "1" }, { epoch }), "unavailable");
      await refuses(edit(store, { ...record, sandboxId: "inone" }, { a: "1" }, { epoch }), "unavailable");
      expect(await stored(store, record)).toEqual(record);
    });

    it("is allowed while paused, pausing, lost and being snapshotted, refused while killing, unknown while creating", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      for (const state of ["pausing", "snapshotting", "lost"] as const) {
        const record = await runOne(store, teamId);
        await store.transition({ ...keyOf(record), from: ["running"], to: state });
        expect((await edit(store, record, { a: "1" })).record).toMatchObject({ state });
      }
      const paused = await pauseOne(store, await runOne(store, teamId));
      expect((await edit(store, paused, { a: "1" })).changed).toBe(true);

      const killing = await runOne(store, teamId);
      await store.transition({ ...keyOf(killing), from: ["running"], to: "killing" });
      await refuses(edit(store, killing, { a: "1" }), "conflict", /is being killed/);
      await refuses(edit(store, await createOne(store, teamId), { a: "1" }), "not_found");
      await refuses(edit(store, { ...killing, sandboxId: "inone" }, { a: "1" }), "not_found");
    });
  });

  describe("editing the end of life", () => {
    it("sets it longer or shorter from the store's now, and extends without ever shortening", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { lifetimeMs: 60_000 });
      const now = await store.now();
      const shorter = await endTime(store, record, 1000, "set");
      expect(shorter.record.endTime.value).toBeGreaterThanOrEqual(now + 1_000_000);
      expect(shorter.record.endTime.value).toBeLessThan(record.endTime.value);
      expect(shorter.record.endTime.revision).toBeGreaterThan(record.endTime.revision);
      const kept = await endTime(store, record, 10, "extend");
      expect(kept).toEqual({ record: shorter.record, changed: false, replayed: false });
      const longer = await endTime(store, record, 90_000, "extend");
      expect(longer.changed).toBe(true);
      expect(await stored(store, record)).toEqual(longer.record);
      expect(longer.record.metadata).toEqual(record.metadata);
    });

    it("takes effect once per operation id, and only while running in this epoch", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const operationId = newOperationId();
      const first = await endTime(store, record, 5000, "set", { operationId });
      expect(await endTime(store, record, 9000, "set", { operationId })).toEqual({
        record: first.record,
        changed: false,
        replayed: true,
      });
      await refuses(endTime(store, record, 5000, "set", { epoch: record.epoch - 1 }), "unavailable");
      const paused = await pauseOne(store, record);
      await refuses(endTime(store, paused, 5000, "set"), "conflict", /is paused/);
      await refuses(endTime(store, await createOne(store, teamId), 5000, "set"), "not_found");
      await refuses(endTime(store, { ...record, sandboxId: "inone" }, 5000, "set"), "not_found");
    });
  });

  describe("editing egress", () => {
    it("replaces the policy with a revision of its own; the same policy is no change", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const policy = { allowOut: ["1.1.1.1"], denyOut: ["0.0.0.0/0", "::/0"] };
      const { record: edited, changed } = await egress(store, record, policy);
      expect(changed).toBe(true);
      expect(edited.egress).toMatchObject({ value: policy, applied: record.egress.applied });
      expect(edited.egress.revision).toBeGreaterThan(record.egress.revision);
      expect(await egress(store, record, policy)).toEqual({ record: edited, changed: false, replayed: false });
      expect(await stored(store, record)).toEqual(edited);
      const paused = await pauseOne(store, record);
      await refuses(egress(store, paused, openPolicy), "conflict");
    });

    it("keeps what was said about internet access with the rules that it was said with", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const closed = { allowOut: [], denyOut: ["0.0.0.0/0"], allowInternetAccess: false };
      expect((await egress(store, record, closed)).record.egress.value).toEqual(closed);
      expect((await stored(store, record)).egress.value).toEqual(closed);
      const { record: edited, changed } = await egress(store, record, { allowOut: [], denyOut: ["0.0.0.0/0"] });
      expect(changed).toBe(true);
      expect(edited.egress.value).toEqual({ allowOut: [], denyOut: ["0.0.0.0/0"] });
    });

    it("waits in the record of a sandbox whose node does not answer, and is due when it is back", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      await store.transition({ ...keyOf(record), from: ["running"], to: "lost" });
      const policy = { allowOut: [], denyOut: ["0.0.0.0/0"] };
      expect((await egress(store, record, policy)).record.egress.value).toEqual(policy);
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
      await store.transition({ ...keyOf(record), from: ["lost"], to: "running" });
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([record.sandboxId]);
    });
  });
}

async function endTime(
  store: SandboxStore,
  { teamId, sandboxId }: SandboxRecord,
  lifetimeMs: number,
  mode: "set" | "extend",
  changes: Partial<EndTimeEdit> = {},
) {
  const edit = { teamId, sandboxId, operationId: newOperationId(), epoch: await store.epoch(), lifetimeMs, mode };
  return store.editEndTime({ ...edit, ...changes });
}

async function egress(store: SandboxStore, { teamId, sandboxId }: SandboxRecord, policy: EgressEdit["policy"]) {
  return store.editEgress({
    teamId,
    sandboxId,
    operationId: newOperationId(),
    epoch: await store.epoch(),
    policy,
  });
}
