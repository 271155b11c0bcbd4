import { newExecutionId } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import {
  appliedOf,
  createOne,
  edit,
  idsOf,
  keyOf,
  manifest,
  newRecord,
  newTeam,
  pauseOne,
  refuses,
  report,
  revisionsOf,
  runOne,
  type Subject,
  stored,
  tags,
} from "./fixture.ts";

export function describeLife(subject: Subject): void {
  describe("creating", () => {
    it("answers with a record that has revisions, an end and a deadline, and that reads back the same", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const before = await store.now();
      const wanted = await newRecord(store, teamId, {
        metadata: tags({ user: "ada", empty: "" }),
        templateAlias: "my alias ü\nsecond line",
        envdAccessToken: "token",
        trafficAccessToken: "traffic",
        allowInternetAccess: false,
        isolation: "gvisor",
        envVars: { A: "1", __proto__x: "2" },
        egress: { allowOut: ["10.0.0.1"], denyOut: ["0.0.0.0/0"] },
        lifetimeMs: 5000,
        deadlineMs: 3000,
      });
      const record = await store.create(wanted, 1);

      const { executionId, nodeId, metadata, egress, lifetimeMs: _l, deadlineMs: _d, epoch, ...identity } = wanted;
      expect(record).toMatchObject({ ...identity, executionId, nodeId, epoch, generation: 1, state: "creating" });
      expect(record.metadata.value).toEqual(metadata);
      expect(record.egress.value).toEqual(egress);
      expect(record.startedAt).toBeGreaterThanOrEqual(before);
      expect(record.endTime.value - record.startedAt).toBe(5_000_000);
      expect(record.stateDeadline).toBe(record.startedAt + 3_000_000);
      expect(record.metadata.revision).toBeGreaterThanOrEqual(epoch);
      expect(appliedOf(record)).toEqual({ metadata: 0, endTime: 0, egress: 0 });
      expect(record).not.toHaveProperty("bootId");
      expect(await store.get(teamId, record.sandboxId)).toEqual(record);
      expect(await store.locate(record.sandboxId)).toEqual(record);
    });

    it("twice with the same execution answers with the same record and counts it once", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const wanted = await newRecord(store, teamId, { metadata: tags({ a: "1" }) });
      const first = await store.create(wanted, 1);
      expect(await store.create(wanted, 1)).toEqual(first);
      await store.transition({ ...keyOf(first), from: ["creating"], to: "running" });
      expect((await store.create(wanted, 1)).state).toBe("running");
    });

    it("is refused for an id that exists with another execution", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const { sandboxId } = await createOne(store, teamId);
      await refuses(createOne(store, teamId, { sandboxId }), "conflict");
    });

    it("is refused for an execution that was removed, so that a late duplicate starts nothing", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const wanted = await newRecord(store, teamId);
      const record = await store.create(wanted, 10);
      await store.remove(keyOf(record));
      await refuses(store.create(wanted, 10), "conflict");
      expect(await store.locate(record.sandboxId)).toBeUndefined();
    });

    it("is refused for a team that does not exist, and for an epoch that is not the store's", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const epoch = await store.epoch();
      await refuses(createOne(store, "no-such-team"), "not_found");
      await refuses(createOne(store, teamId, { epoch: epoch - 1 }), "unavailable");
      await refuses(createOne(store, teamId, { epoch: epoch + 1 }), "unavailable");
      expect(await store.countRunning(teamId, new Map())).toBe(0);
    });

    it("stops exactly at the team's limit, also when many come at once", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const attempts = await Promise.allSettled(
        Array.from({ length: 12 }, async () => store.create(await newRecord(store, teamId), 5)),
      );
      expect(attempts.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
      for (const attempt of attempts) {
        if (attempt.status === "rejected") expect(attempt.reason).toMatchObject({ code: "quota_exceeded" });
      }
    });

    it("does not count paused and ending sandboxes against the limit", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const first = await runOne(store, teamId);
      await refuses(store.create(await newRecord(store, teamId), 1), "quota_exceeded");
      const paused = await pauseOne(store, first);
      const second = await store.create(await newRecord(store, teamId), 1);
      await store.transition({ ...keyOf(second), from: ["creating"], to: "killing" });
      const third = await store.create(await newRecord(store, teamId), 1);

      // Resuming counts again, and is refused at the limit in the same step.
      const resume = {
        ...keyOf(paused),
        from: ["paused"],
        to: "resuming",
        maxConcurrent: 1,
        next: { executionId: newExecutionId(), generation: 2, nodeId: "node-2" },
      } as const;
      await refuses(store.transition(resume), "quota_exceeded");
      await store.remove(keyOf(third));
      expect((await store.transition(resume)).state).toBe("resuming");
    });

    it("under an id that was removed has nothing of the sandbox before it", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const first = await runOne(store, teamId, { envVars: { A: "1" }, metadata: tags({ a: "1" }) });
      await edit(store, first, { b: "1" });
      await store.remove(keyOf(first));
      const { sandboxId } = first;
      const second = await runOne(store, teamId, { sandboxId, envVars: { B: "2" }, templateId: "other" });
      const { record } = await edit(store, second, { c: "1" });
      expect(record).toMatchObject({ envVars: { B: "2" }, templateId: "other", executionId: second.executionId });
      expect(record.metadata.value).toEqual(tags({ c: "1" }));
      expect(await store.locate(sandboxId)).toEqual(record);
    });

    it("is seen by its own team only", async () => {
      const { store } = subject;
      const [mine, other] = [await newTeam(store), await newTeam(store)];
      const record = await runOne(store, mine);
      const key = { ...keyOf(record), teamId: other };
      expect(await store.get(other, record.sandboxId)).toBeUndefined();
      await refuses(edit(store, key, { a: "1" }), "not_found");
      await refuses(store.transition({ ...key, from: ["running"], to: "killing" }), "not_found");
      expect(await store.remove(key)).toBe(false);
      expect(await stored(store, record)).toEqual(record);
    });
  });

  describe("changing state", () => {
    it("happens once when two want the same, and the other is told the state", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const kill = { ...keyOf(record), from: ["running"], to: "killing" } as const;
      const results = await Promise.allSettled([store.transition(kill), store.transition(kill)]);
      expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      await refuses(store.transition(kill), "conflict", /is being killed/);
    });

    it("is refused for another execution, an unknown sandbox, and a step that the rules do not have", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const key = keyOf(record);
      await refuses(store.transition({ ...key, executionId: "other", from: ["running"], to: "killing" }), "conflict");
      await refuses(store.transition({ ...key, sandboxId: "inone", from: ["running"], to: "killing" }), "not_found");
      await refuses(store.transition({ ...key, from: ["running"], to: "paused" }), "conflict");
      expect(await stored(store, record)).toEqual(record);
    });

    it("sets a deadline for states on the way and clears it for the others", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store));
      const before = await store.now();
      const pausing = await store.transition({
        ...keyOf(record),
        from: ["running"],
        to: "pausing",
        deadlineMs: 2000,
      });
      expect(pausing.stateDeadline).toBeGreaterThanOrEqual(before + 2_000_000);
      const paused = await store.transition({ ...keyOf(record), from: ["pausing"], to: "paused", deadlineMs: 2000 });
      expect(paused).not.toHaveProperty("stateDeadline");
      expect(paused.endTime.value).toBeGreaterThanOrEqual(before);
      expect(paused.endTime.value).toBeLessThan(record.endTime.value);
      expect(paused.endTime.revision).toBeGreaterThan(record.endTime.revision);
    });

    it("to a new execution starts anew: start time, node, generation, and nothing applied", async () => {
      const { store } = subject;
      const paused = await pauseOne(store, await runOne(store, await newTeam(store)));
      const next = { executionId: newExecutionId(), generation: 2, nodeId: "node-2" };
      const resuming = await store.transition({
        ...keyOf(paused),
        from: ["paused"],
        to: "resuming",
        next,
        lifetimeMs: 7000,
      });
      expect(resuming).toMatchObject({ ...next, state: "resuming" });
      expect(resuming.startedAt).toBeGreaterThan(paused.startedAt);
      expect(resuming.endTime.value).toBe(resuming.startedAt + 7_000_000);
      expect(appliedOf(resuming)).toEqual({ metadata: 0, endTime: 0, egress: 0 });
      expect(resuming).not.toHaveProperty("bootId");
      expect(idsOf(await store.listOnNode("node-2"), paused.teamId)).toEqual([paused.sandboxId]);
      expect(idsOf(await store.listOnNode("node-1"), paused.teamId)).toEqual([]);

      // The same node process may run the next execution too: its reports count.
      const confirmed = { bootId: "boot-1", applied: revisionsOf(resuming) };
      const running = await store.transition({ ...keyOf(resuming), from: ["resuming"], to: "running", confirmed });
      expect(appliedOf(running)).toEqual(revisionsOf(running));
      expect(running.bootId).toBe("boot-1");
    });

    it("begins a start anew elsewhere only with a higher generation", async () => {
      const { store } = subject;
      const record = await createOne(store, await newTeam(store));
      const next = { executionId: newExecutionId(), generation: 1, nodeId: "node-2" };
      const again = { ...keyOf(record), from: ["creating"], to: "creating" } as const;
      await refuses(store.transition({ ...again, next }), "conflict");
      const moved = await store.transition({ ...again, next: { ...next, generation: 2 } });
      expect(moved).toMatchObject({ state: "creating", generation: 2, nodeId: "node-2" });
      await refuses(store.transition({ ...keyOf(record), from: ["creating"], to: "running" }), "conflict");
    });

    it("to running makes due what the start does not cover, at once", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const created = await createOne(store, teamId);
      const applied = { ...revisionsOf(created), egress: 0 };
      const key = keyOf(created);
      const confirmed = { bootId: "boot-1", applied };
      const running = await store.transition({ ...key, from: ["creating"], to: "running", confirmed });
      expect(appliedOf(running)).toEqual(applied);
      await expect.poll(async () => idsOf(await store.listPushDue(1000), teamId)).toEqual([created.sandboxId]);
      await store.confirm([report(running, revisionsOf(running))]);
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
    });

    it("keeps what a push had confirmed before the start's own answer arrived", async () => {
      const { store } = subject;
      const created = await createOne(store, await newTeam(store));
      const first = revisionsOf(created);
      const later = { ...first, metadata: first.metadata + 5 };
      await store.confirm([report(created, later)]);
      const confirmed = { bootId: "boot-1", applied: first };
      const running = await store.transition({ ...keyOf(created), from: ["creating"], to: "running", confirmed });
      expect(running.metadata.applied).toBe(later.metadata);
    });
  });

  describe("removing", () => {
    it("takes the record out of everything and leaves a tombstone", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { metadata: tags({ a: "1" }), lifetimeMs: 1 });
      await edit(store, record, { b: "2" });
      expect(await store.remove(keyOf(record))).toBe(true);
      expect(await store.remove(keyOf(record))).toBe(false);

      expect(await store.get(teamId, record.sandboxId)).toBeUndefined();
      expect(await store.locate(record.sandboxId)).toBeUndefined();
      expect(await store.isTombstoned(record.sandboxId, record.executionId)).toBe(true);
      expect(await store.isTombstoned(record.sandboxId, "other")).toBe(false);
      expect(await store.countRunning(teamId, new Map())).toBe(0);
      expect(await store.countRunning(teamId, tags({ a: "1" }))).toBe(0);
      const query = { states: ["running", "paused"], filter: tags({ a: "1" }), order: "desc", limit: 10 } as const;
      expect(await store.list(teamId, query)).toEqual({ sandboxes: [] });
      expect(idsOf(await store.listOnNode("node-1"), teamId)).toEqual([]);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      expect(idsOf(await store.listPushDue(1000), teamId)).toEqual([]);
      expect(idsOf(await store.listEnded(1000), teamId)).toEqual([]);
      expect(await store.create(await newRecord(store, teamId), 1)).toMatchObject({ state: "creating" });
      await refuses(edit(store, record, { a: "2" }), "not_found");
    });

    it("leaves alone a sandbox that is paused, or on its way there or back: it outlives its execution", async () => {
      const { store } = subject;
      const running = await runOne(store, await newTeam(store));
      const next = { executionId: newExecutionId(), generation: 2, nodeId: "node-1" };
      const steps = [
        { from: ["running"], to: "pausing" },
        { from: ["pausing"], to: "paused" },
        { from: ["paused"], to: "resuming", next },
      ] as const;
      let record = running;
      for (const step of steps) {
        record = await store.transition({ ...keyOf(record), ...step });
        expect(await store.remove(keyOf(record))).toBe(false);
        expect(await stored(store, record)).toEqual(record);
      }
      expect(await store.isTombstoned(running.sandboxId, next.executionId)).toBe(false);
      const killing = await store.transition({ ...keyOf(record), from: ["resuming"], to: "killing" });
      expect(await store.remove(keyOf(killing))).toBe(true);
    });

    it("leaves alone a sandbox that has a newer execution, and does not declare the old one dead", async () => {
      const { store } = subject;
      const paused = await pauseOne(store, await runOne(store, await newTeam(store)));
      const next = { executionId: newExecutionId(), generation: 2, nodeId: "node-1" };
      const resuming = await store.transition({ ...keyOf(paused), from: ["paused"], to: "resuming", next });
      expect(await store.remove(keyOf(paused))).toBe(false);
      expect(await store.isTombstoned(paused.sandboxId, paused.executionId)).toBe(false);
      expect(await stored(store, resuming)).toEqual(resuming);
    });
  });

  describe("adopting", () => {
    it("takes over what a node runs, applied as far as the node says", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const found = await manifest(store, teamId, {
        generation: 3,
        templateAlias: "alias",
        metadata: { value: tags({ a: "1", __proto__x: "y" }), revision: 1_700_000_000_000_001 },
      });
      expect(await store.adopt(found)).toBe("adopted");
      expect(await store.adopt(found)).toBe("known");
      const record = await store.locate(found.sandboxId);
      expect(record).toMatchObject({
        state: "running",
        generation: 3,
        nodeId: "node-1",
        bootId: "boot-1",
        startedAt: found.startedAt,
        metadata: { ...found.metadata, applied: found.metadata.revision },
        endTime: { ...found.endTime, applied: found.endTime.revision },
        egress: { ...found.egress, applied: found.egress.revision },
      });
      expect(await store.countRunning(teamId, tags({ a: "1" }))).toBe(1);
      expect(idsOf(await store.listOnNode("node-1"), teamId)).toEqual([found.sandboxId]);
    });

    it("does not bring back what was removed, nor replace what is known, nor act in another epoch", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const { sandboxId, executionId, metadata, endTime, egress } = record;
      const same = await manifest(store, teamId, { sandboxId, executionId, metadata, endTime, egress });
      expect(await store.adopt(same)).toBe("known");
      expect(await store.adopt({ ...same, teamId: await newTeam(store) })).toBe("known");
      expect(await stored(store, record)).toEqual(record);
      await store.remove(keyOf(record));
      expect(await store.adopt(same)).toBe("tombstoned");
      const other = await manifest(store, teamId);
      await refuses(store.adopt({ ...other, epoch: other.epoch - 1 }), "unavailable");
      expect(await store.locate(other.sandboxId)).toBeUndefined();
    });

    it("works for a team that the store has forgotten", async () => {
      const { store } = subject;
      const found = await manifest(store, `lost-team-${Date.now()}`);
      expect(await store.adopt(found)).toBe("adopted");
      expect((await store.locate(found.sandboxId))?.teamId).toBe(found.teamId);
    });

    it("remembers that an execution is gone which the store had never known", async () => {
      const { store } = subject;
      const found = await manifest(store, await newTeam(store));
      expect(await store.remove(found)).toBe(false);
      expect(await store.adopt(found)).toBe("tombstoned");
    });
  });
}
