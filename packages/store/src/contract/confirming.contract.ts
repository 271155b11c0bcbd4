import { describe, expect, it } from "vitest";
import {
  appliedOf,
  edit,
  idsOf,
  keyOf,
  newTeam,
  pauseOne,
  pushGraceMs,
  refuses,
  report,
  revisionsOf,
  runOne,
  type Subject,
  stored,
} from "./fixture.ts";

export function describeConfirming(subject: Subject): void {
  describe("confirming", () => {
    it("keeps the maximum within one boot, so that reordered reports do no harm", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const first = (await edit(store, record, { a: "1" })).record;
      const second = (await edit(store, record, { a: "2" })).record;
      await store.confirm([report(record, revisionsOf(second)), report(record, revisionsOf(first))]);
      expect(appliedOf(await stored(store, record))).toEqual(revisionsOf(second));
    });

    it("takes what a new boot says, lower or not, and ignores late reports of the boot before", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const edited = (await edit(store, record, { a: "1" })).record;
      await store.confirm([report(record, revisionsOf(edited))]);
      await store.confirm([report(record, revisionsOf(record), { bootId: "boot-2" })]);
      const restarted = await stored(store, record);
      expect(restarted).toMatchObject({ bootId: "boot-2", metadata: { applied: record.metadata.revision } });
      await store.confirm([report(record, revisionsOf(edited), { bootId: "boot-1" })]);
      expect(await stored(store, record)).toEqual(restarted);
    });

    it("ignores reports of another execution, another epoch, another team and unknown sandboxes", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const { record: edited } = await edit(store, record, { a: "1" });
      const applied = revisionsOf(edited);
      await store.confirm([
        report(record, applied, { executionId: "other" }),
        report(record, applied, { epoch: record.epoch - 1 }),
        report(record, applied, { epoch: record.epoch + 1 }),
        report(record, applied, { teamId: await newTeam(store) }),
        report(record, applied, { teamId: "no-such-team" }),
        report(record, applied, { sandboxId: "inone" }),
      ]);
      expect(await stored(store, record)).toEqual(edited);
      await store.confirm([]);
    });

    it("takes reports of many teams and sandboxes at once", async () => {
      const { store } = subject;
      const records = await Promise.all(
        Array.from({ length: 3 }, async () => runOne(store, await newTeam(store))).concat(
          await newTeam(store).then((teamId) => Array.from({ length: 3 }, () => runOne(store, teamId))),
        ),
      );
      const edited = await Promise.all(records.map(async (record) => (await edit(store, record, { a: "1" })).record));
      await store.confirm(edited.map((record) => report(record, revisionsOf(record))));
      for (const record of edited) expect(appliedOf(await stored(store, record))).toEqual(revisionsOf(record));
    });
  });

  describe("what is due for a push", () => {
    it("is an edited sandbox after its grace, until every field is confirmed", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const { record: edited } = await edit(store, record, { a: "1" });
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), teamId), { timeout: 5000 })
        .toEqual([record.sandboxId]);

      const almost = { ...revisionsOf(edited), endTime: 0 };
      await store.confirm([report(record, almost, { bootId: "boot-2" })]);
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), teamId), { timeout: 5000 })
        .toEqual([record.sandboxId]);
      await store.confirm([report(record, revisionsOf(edited), { bootId: "boot-2" })]);
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
    });

    it("is not cleared by a confirmation that a newer edit has overtaken", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const { record: first } = await edit(store, record, { a: "1" });
      await edit(store, record, { a: "2" });
      await store.confirm([report(record, revisionsOf(first))]);
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), teamId), { timeout: 5000 })
        .toEqual([record.sandboxId]);
    });

    it("waits after a push that failed, and comes back", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      await edit(store, record, { a: "1" });
      await expect.poll(async () => (await store.listPushDue(1000)).length, { timeout: 5000 }).toBeGreaterThan(0);
      await store.deferPush(keyOf(record), 1000);
      await store.deferPush({ ...keyOf(record), executionId: "other" }, 3_600_000);
      await store.deferPush({ ...keyOf(record), sandboxId: "inone" }, 1);
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), teamId), { timeout: 5000 })
        .toEqual([record.sandboxId]);
    });

    it("comes sooner again when there is a new edit", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      await edit(store, record, { a: "1" });
      await store.deferPush(keyOf(record), 3_600_000);
      await edit(store, record, { a: "2" });
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), teamId), { timeout: 5000 })
        .toEqual([record.sandboxId]);
    });

    it("is never a sandbox that no node runs, until it runs again", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      await edit(store, record, { a: "1" });
      const paused = await pauseOne(store, record);
      await edit(store, record, { a: "2" });
      await new Promise((resolve) => setTimeout(resolve, pushGraceMs + 1100));
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
      const next = { executionId: "e2", generation: 2, nodeId: "node-1" };
      const resuming = await store.transition({ ...keyOf(paused), from: ["paused"], to: "resuming", next });
      await store.transition({ ...keyOf(resuming), from: ["resuming"], to: "running" });
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), teamId), { timeout: 15_000 })
        .toEqual([record.sandboxId]);
      await refuses(store.transition({ ...keyOf(paused), from: ["running"], to: "killing" }), "conflict");
    });

    it("leaves with the state when a sandbox is lost, and comes back with it", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      await edit(store, record, { a: "1" });
      await store.transition({ ...keyOf(record), from: ["running"], to: "lost" });
      await new Promise((resolve) => setTimeout(resolve, pushGraceMs + 1100));
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
      const confirmed = { bootId: "boot-2", applied: revisionsOf(record) };
      await store.transition({ ...keyOf(record), from: ["lost"], to: "running", confirmed });
      await expect
        .poll(async () => idsOf(await store.listPushDue(1000), teamId), { timeout: 5000 })
        .toEqual([record.sandboxId]);
    });
  });
}
