import { type LifecycleEvent, newExecutionId } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import type { EventQuery, SandboxStore } from "../store.ts";
import {
  createOne,
  edit,
  keyOf,
  manifest,
  newTeam,
  openPolicy,
  pauseOne,
  runOne,
  type Subject,
  tags,
  verifyOne,
} from "./fixture.ts";

export function describeEvents(subject: Subject): void {
  describe("a team's events", () => {
    it("tell of a creation once it runs, with who asked and the metadata of that moment", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const created = await createOne(store, teamId, { metadata: tags({ a: "1", "odd\n\t\\key": "é" }) });
      expect(await eventsOf(store, teamId)).toEqual([]);
      await store.transition({ ...keyOf(created), from: ["creating"], to: "running" });
      const [event, ...others] = await eventsOf(store, teamId);
      expect(others).toEqual([]);
      expect(event).toEqual({
        id: expect.any(Number),
        at: expect.any(Number),
        type: "created",
        teamId,
        sandboxId: created.sandboxId,
        executionId: created.executionId,
        templateId: "base",
        apiKeyId: "key-1",
        revision: created.metadata.revision,
        startedAt: created.startedAt,
        metadata: created.metadata.value,
      });
    });

    it("tell of an edit what it changed, at which revision and by whom, and of an edit without effect nothing", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { metadata: tags({ a: "1", b: "1", same: "1" }) });
      const delta = { a: "2", b: null, same: "1", absent: null, "odd\n\t\\": "=-" };
      const { record: edited } = await edit(store, record, delta, { apiKeyId: 'key "2"' });
      await edit(store, record, { a: "2" });
      const [, event, ...others] = await eventsOf(store, teamId);
      expect(others).toEqual([]);
      expect(event).toMatchObject({
        type: "updated",
        sandboxId: record.sandboxId,
        executionId: record.executionId,
        templateId: "base",
        apiKeyId: 'key "2"',
        revision: edited.metadata.revision,
        change: {
          field: "metadata",
          delta: new Map(Object.entries({ a: "2", b: null, "odd\n\t\\": "=-" })),
        },
      });
      expect(event).not.toHaveProperty("metadata");
    });

    it("tell of an edit of many keys all that it changed", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { metadata: tags({ k3: "3", k4: "old" }) });
      const delta = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, String(i)]));
      await edit(store, record, delta);
      const { k3: _same, ...effective } = delta;
      expect((await eventsOf(store, teamId))[1]?.change).toEqual({
        field: "metadata",
        delta: new Map(Object.entries(effective)),
      });
    });

    it("tell of a command that is sent twice once", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      for (let i = 0; i < 2; i += 1) await edit(store, record, { a: "1" }, { operationId: `twice-${teamId}` });
      expect(typesOf(await eventsOf(store, teamId))).toEqual(["created", "updated"]);
    });

    it("tell of a new end time and of new network rules", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const by = { teamId, sandboxId: record.sandboxId, epoch: await store.epoch(), apiKeyId: "key-2" };
      const { record: extended } = await store.editEndTime({
        ...by,
        operationId: `end-${teamId}`,
        lifetimeMs: 120_000,
        mode: "set",
      });
      const policy = { ...openPolicy, denyOut: ["10.0.0.0/8"] };
      await store.editEgress({ ...by, operationId: `egress-${teamId}`, policy });
      const [, end, egress] = await eventsOf(store, teamId);
      expect(end).toMatchObject({ type: "updated", change: { field: "endTime", value: extended.endTime.value } });
      expect(egress).toMatchObject({ type: "updated", apiKeyId: "key-2", change: { field: "egress", value: policy } });
    });

    it("tell of a pause, a resume as the new execution, and a checkpoint, unless that was not made", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { metadata: tags({ a: "1" }) });
      await pauseOne(store, record);
      const executionId = newExecutionId();
      const next = { executionId, generation: 2, nodeId: "node-2" };
      await store.transition({ ...keyOf(record), from: ["paused"], to: "resuming", next });
      const again = { ...keyOf(record), executionId };
      await store.transition({ ...again, from: ["resuming"], to: "running", apiKeyId: "key-3" });
      for (const quiet of [true, false]) {
        await store.transition({ ...again, from: ["running"], to: "snapshotting" });
        await store.transition({ ...again, from: ["snapshotting"], to: "running", quiet });
      }
      const events = await eventsOf(store, teamId);
      expect(typesOf(events)).toEqual(["created", "paused", "resumed", "checkpointed"]);
      expect(events[1]).toMatchObject({
        executionId: record.executionId,
        metadata: tags({ a: "1" }),
        resources: { cpuCount: 2, memoryMb: 512 },
      });
      expect(events[2]).toMatchObject({ executionId, apiKeyId: "key-3", metadata: tags({ a: "1" }) });
    });

    it("tell of a kill once, with its cause, as soon as nobody finds the sandbox any more", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const asked = await runOne(store, teamId, { metadata: tags({ a: "1" }) });
      await store.transition({
        ...keyOf(asked),
        from: ["running"],
        to: "killing",
        cause: "requested",
        apiKeyId: "key-2",
      });
      expect((await eventsOf(store, teamId))[1]).toMatchObject({
        type: "killed",
        cause: "requested",
        apiKeyId: "key-2",
        metadata: tags({ a: "1" }),
        startedAt: asked.startedAt,
        resources: { cpuCount: 2, memoryMb: 512 },
      });
      await store.remove(keyOf(asked), { cause: "overdue" });
      const ended = await runOne(store, teamId, { lifetimeMs: 0 });
      await store.claimEnded(keyOf(ended), "killing", 1000);
      const gone = await runOne(store, teamId);
      await store.remove(keyOf(gone), { cause: "exited" });
      await store.remove(keyOf(gone), { cause: "exited" });
      const unsaid = await runOne(store, teamId);
      await store.remove(keyOf(unsaid));
      const killed = (await eventsOf(store, teamId)).filter(({ type }) => type === "killed");
      expect(killed.map(({ sandboxId, cause }) => [sandboxId, cause])).toEqual([
        [asked.sandboxId, "requested"],
        [ended.sandboxId, "timeout"],
        [gone.sandboxId, "exited"],
        [unsaid.sandboxId, "unknown"],
      ]);
    });

    it("say nothing of what was never seen running", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const failed = await createOne(store, teamId);
      await store.transition({ ...keyOf(failed), from: ["creating"], to: "killing", cause: "start_failed" });
      await store.remove(keyOf(failed), { cause: "start_failed" });
      await store.remove(keyOf(await createOne(store, teamId)));
      expect(await eventsOf(store, teamId)).toEqual([]);
    });

    it("tell of what was lost, and of what was found again or taken over from its node", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { metadata: tags({ a: "1" }) });
      await store.transition({ ...keyOf(record), from: ["running"], to: "lost" });
      await store.transition({ ...keyOf(record), from: ["lost"], to: "running" });
      const adopted = await manifest(store, teamId, { metadata: { value: tags({ b: "2" }), revision: 5 } });
      await store.adopt(adopted);
      await store.adopt(adopted);
      const [, lost, found, taken, ...others] = await eventsOf(store, teamId);
      expect(others).toEqual([]);
      expect(lost).toMatchObject({ type: "lost", metadata: tags({ a: "1" }) });
      expect(found).toMatchObject({ type: "updated", change: { field: "found" }, metadata: tags({ a: "1" }) });
      expect(taken).toMatchObject({
        type: "updated",
        change: { field: "found" },
        metadata: tags({ b: "2" }),
        revision: 5,
      });
    });

    it("have ids that only grow, in the order of the edits", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const commits = await Promise.all(Array.from({ length: 100 }, (_, i) => edit(store, record, { [`k${i}`]: "1" })));
      const events = await eventsOf(store, teamId);
      expect(events).toHaveLength(101);
      for (const [i, { id }] of events.entries()) expect(id).toBeGreaterThan(events[i - 1]?.id ?? 0);
      const revisions = commits.map(({ record: { metadata } }) => metadata.revision).sort((a, b) => a - b);
      expect(events.slice(1).map(({ revision }) => revision)).toEqual(revisions);
    });

    it("are of a new epoch above all before it, whatever the clock says", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const ahead = (await store.now()) + 60_000_000;
      const epoch = await store.raiseEpoch(ahead);
      await verifyOne(store, record);
      for (const a of ["1", "2", "3"]) await edit(store, record, { a });
      const ids = (await eventsOf(store, teamId)).map(({ id }) => id);
      expect(ids.slice(1)[0]).toBeGreaterThanOrEqual(epoch);
      expect([...ids].sort((a, b) => a - b)).toEqual(ids);
      expect(new Set(ids).size).toBe(4);
    });

    it("come in pages, either way, by sandbox and by type", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const one = await runOne(store, teamId);
      const other = await runOne(store, teamId);
      for (let i = 0; i < 6; i += 1) await edit(store, i % 2 === 0 ? one : other, { step: String(i) });
      const all = await eventsOf(store, teamId);
      const page = (query: Partial<EventQuery>) => store.listEvents(teamId, { order: "asc", limit: 3, ...query });

      const first = await page({});
      expect(first).toMatchObject({ events: all.slice(0, 3), upTo: all[2]?.id, more: true });
      const second = await page({ ...after(first.upTo), limit: 5 });
      expect(second).toMatchObject({ events: all.slice(3), upTo: all[7]?.id });
      expect(await page(after(second.upTo))).toEqual({ events: [], upTo: all[7]?.id, more: false });
      expect((await page({ order: "desc" })).events).toEqual([...all].reverse().slice(0, 3));
      expect((await page({ order: "desc", ...after(all[2]?.id) })).events).toEqual(all.slice(0, 2).reverse());
      expect((await page({ order: "desc", offset: 2 })).events).toEqual([...all].reverse().slice(2, 5));
      expect((await page({ sandboxId: other.sandboxId, limit: 10 })).events).toEqual(
        all.filter(({ sandboxId }) => sandboxId === other.sandboxId),
      );
      expect(typesOf((await page({ types: ["created", "killed"] })).events)).toEqual(["created", "created"]);
      expect(await page({ types: ["lost"] })).toMatchObject({ events: [], upTo: all[7]?.id, more: false });
      expect((await page({ sandboxId: one.sandboxId, types: ["updated"], offset: 1, limit: 1 })).events).toEqual([
        all[4],
      ]);
    });

    it("that are rare are found among many", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      await Promise.all(Array.from({ length: 1200 }, (_, i) => edit(store, record, { step: String(i) })));
      const page = await store.listEvents(teamId, { order: "desc", limit: 1, types: ["created"] });
      expect(typesOf(page.events)).toEqual(["created"]);
      expect((await store.listEvents(teamId, { order: "asc", limit: 1000, offset: 700 })).events).toHaveLength(501);
    });

    it("are the team's own, and of an unknown team there are none", async () => {
      const { store } = subject;
      const [ours, theirs] = [await newTeam(store), await newTeam(store)];
      await runOne(store, theirs);
      expect(await eventsOf(store, ours)).toEqual([]);
      expect(await store.listEvents("nobody", { order: "asc", limit: 10 })).toEqual({ events: [], more: false });
    });
  });
}

async function eventsOf(store: SandboxStore, teamId: string): Promise<readonly LifecycleEvent[]> {
  return (await store.listEvents(teamId, { order: "asc", limit: 1000 })).events;
}

function typesOf(events: readonly LifecycleEvent[]): string[] {
  return events.map(({ type }) => type);
}

function after(id: number | undefined): Pick<EventQuery, "after"> {
  return id === undefined ? {} : { after: id };
}
