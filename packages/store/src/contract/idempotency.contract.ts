import { editIdempotency, type MetadataDelta, type Revision } from "@castellan/domain";
import { beforeEach, describe, expect, it } from "vitest";
import type { SandboxStore } from "../store.ts";
import { createOne, edit, keyOf, newTeam, refuses, runOne, type Subject, tags } from "./fixture.ts";

export function describeIdempotency(subject: Subject): void {
  describe("an edit with an idempotency key", () => {
    let store: SandboxStore;
    let teamId: string;
    beforeEach(async () => {
      store = subject.store;
      teamId = await newTeam(store);
    });

    const keyed = (key: string, delta: MetadataDelta, ifMatch?: Revision) => ({
      idempotency: editIdempotency(key, delta, ifMatch),
      ...(ifMatch !== undefined && { ifMatch }),
    });

    it("takes effect once, and a replay has the metadata and the revision of the first time", async () => {
      const record = await runOne(store, teamId, { metadata: tags({ "odd\tkey": "odd\nvalue" }) });
      const delta = tags({ a: "1" });
      const first = await edit(store, record, delta, keyed("k", delta));
      expect(first).toMatchObject({ changed: true, replayed: false });
      expect(first.outcome).toBeUndefined();
      const later = await edit(store, record, { a: "2", b: "3" });
      const replay = await edit(store, record, delta, keyed("k", delta));
      expect(replay).toEqual({
        record: later.record,
        changed: false,
        replayed: true,
        outcome: { metadata: tags({ "odd\tkey": "odd\nvalue", a: "1" }), revision: first.record.metadata.revision },
      });
    });

    it("takes effect once however many come at the same time", async () => {
      const record = await runOne(store, teamId);
      const delta = tags({ a: "1" });
      const all = await Promise.all(Array.from({ length: 20 }, () => edit(store, record, delta, keyed("k", delta))));
      expect(all.filter(({ changed }) => changed)).toHaveLength(1);
      expect(all.filter(({ replayed }) => replayed)).toHaveLength(19);
    });

    it("is refused for another content: another value, another key, another condition", async () => {
      const record = await runOne(store, teamId);
      const delta = tags({ a: "1" });
      const { record: edited } = await edit(store, record, delta, keyed("k", delta));
      for (const other of [tags({ a: "2" }), tags({ b: "1" })]) {
        await refuses(edit(store, record, other, keyed("k", other)), "key_reused");
      }
      await refuses(edit(store, record, delta, keyed("k", delta, edited.metadata.revision)), "key_reused");
      expect((await store.get(teamId, record.sandboxId))?.metadata).toEqual(edited.metadata);
    });

    it("keeps the key of an edit without effect, so that a late duplicate has none either", async () => {
      const record = await runOne(store, teamId, { metadata: tags({ a: "1" }) });
      const delta = tags({ a: "1" });
      expect((await edit(store, record, delta, keyed("k", delta))).changed).toBe(false);
      await edit(store, record, { a: "2" });
      const late = await edit(store, record, delta, keyed("k", delta));
      expect(late).toMatchObject({ changed: false, replayed: true, outcome: { revision: record.metadata.revision } });
      expect((await store.get(teamId, record.sandboxId))?.metadata.value).toEqual(tags({ a: "2" }));
    });

    it("leaves the key free when the edit is refused", async () => {
      const record = await runOne(store, teamId);
      const delta = tags({ a: "1" });
      await refuses(edit(store, record, delta, keyed("k", delta, 1)), "precondition_failed");
      await refuses(edit(store, record, delta, { ...keyed("k", delta), epoch: 1 }), "unavailable");
      expect((await edit(store, record, delta, keyed("k", delta))).changed).toBe(true);
    });

    it("is replayed in any state and epoch that came since, but not once the sandbox is gone", async () => {
      const record = await runOne(store, teamId);
      const delta = tags({ a: "1" });
      const first = await edit(store, record, delta, keyed("k", delta));
      await store.transition({ ...keyOf(record), from: ["running"], to: "killing" });
      const replay = await edit(store, record, delta, { ...keyed("k", delta), epoch: 1 });
      expect(replay).toMatchObject({ replayed: true, outcome: { revision: first.record.metadata.revision } });
      await store.remove(keyOf(record));
      await refuses(edit(store, record, delta, keyed("k", delta)), "not_found");
      const again = await createOne(store, teamId, { sandboxId: record.sandboxId });
      await store.transition({ ...keyOf(again), from: ["creating"], to: "running" });
      expect((await edit(store, again, delta, keyed("k", delta))).changed).toBe(true);
    });

    it("has its key for itself: other sandboxes and teams may use the same", async () => {
      const delta = tags({ a: "1" });
      const records = [
        await runOne(store, teamId),
        await runOne(store, teamId),
        await runOne(store, await newTeam(store)),
      ];
      for (const record of records) expect((await edit(store, record, delta, keyed("k", delta))).changed).toBe(true);
    });

    it("keeps large maps as long as there is room for them; beyond that a replay still changes nothing", async () => {
      const large = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`k${i}`, "v".repeat(4096)]));
      const record = await runOne(store, teamId, { metadata: tags(large) });
      const step = (n: number) => tags({ n: String(n) });
      for (let n = 0; n < 40; n += 1) await edit(store, record, step(n), keyed(`key ${n}`, step(n)));
      const oldest = await edit(store, record, step(0), keyed("key 0", step(0)));
      expect(oldest).toMatchObject({ changed: false, replayed: true });
      expect(oldest.outcome).toBeUndefined();
      const newest = await edit(store, record, step(38), keyed("key 38", step(38)));
      expect(newest.outcome?.metadata.get("n")).toBe("38");
      expect((await store.get(teamId, record.sandboxId))?.metadata.value.get("n")).toBe("39");
    });
  });
}
