import { metadataLimits, type SandboxRecord } from "@castellan/domain";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ListQuery, SandboxStore } from "../store.ts";
import {
  adoptOne,
  createOne,
  edit,
  idsOf,
  keyOf,
  manifest,
  newTeam,
  pauseOne,
  runOne,
  type Subject,
  tags,
} from "./fixture.ts";

export function describeLists(subject: Subject): void {
  describe("listing", () => {
    it("pages through newest first, then by id, without gaps or repeats, and back in the exact reverse", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const base = await store.now();
      // Ties, neighbours in the last digit, and a lot in one microsecond.
      const starts = [0, 0, 0, 1, 1, 2, 3, 5, 5, 5, 5, 8].map((offset) => base - 1_000_000 + offset);
      for (const startedAt of starts) await store.adopt(await manifest(store, teamId, { startedAt }));
      const all = (await pages(store, teamId, { limit: 1000 })).flat();
      expect(all.map(({ startedAt }) => startedAt)).toEqual(starts.toSorted((a, b) => b - a));
      expect(all).toEqual(all.toSorted(newestFirst));
      for (const limit of [1, 2, 3, 5, 11, 12, 13]) {
        const descending = await pages(store, teamId, { limit });
        expect(descending.flat()).toEqual(all);
        expect(descending).toHaveLength(Math.ceil(all.length / limit));
        const ascending = await pages(store, teamId, { limit, order: "asc" });
        expect(ascending.flat()).toEqual(all.toReversed());
      }
    });

    it("shows states as the public sees them, and nothing that is being created or killed", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await createOne(store, teamId);
      const running = await runOne(store, teamId);
      const snapshotting = await runOne(store, teamId);
      await store.transition({ ...keyOf(snapshotting), from: ["running"], to: "snapshotting" });
      const lost = await runOne(store, teamId);
      await store.transition({ ...keyOf(lost), from: ["running"], to: "lost" });
      const killing = await runOne(store, teamId);
      await store.transition({ ...keyOf(killing), from: ["running"], to: "killing" });
      const pausing = await runOne(store, teamId);
      await store.transition({ ...keyOf(pausing), from: ["running"], to: "pausing" });
      const paused = await pauseOne(store, await runOne(store, teamId));

      const list = async (states: ListQuery["states"]) => idsOf((await pages(store, teamId, { states })).flat());
      expect(await list(["running"])).toEqual([lost, snapshotting, running].map(({ sandboxId }) => sandboxId));
      expect(await list(["paused"])).toEqual([paused, pausing].map(({ sandboxId }) => sandboxId));
      expect(await list(["paused", "running"])).toEqual(
        [paused, pausing, lost, snapshotting, running].map(({ sandboxId }) => sandboxId),
      );
      expect(await list([])).toEqual([]);
      expect(await store.countRunning(teamId, new Map())).toBe(3);
    });

    it("follows every edit of the tags at once", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, { metadata: tags({ a: "1", b: "1" }) });
      const has = async (filter: Readonly<Record<string, string>>) => {
        const found = idsOf((await pages(store, teamId, { filter: tags(filter) })).flat());
        expect(await store.countRunning(teamId, tags(filter))).toBe(found.length);
        return found.length === 1;
      };
      expect(await has({ a: "1" })).toBe(true);
      await edit(store, record, { a: "2", b: null, c: "3" });
      expect(await has({ a: "1" })).toBe(false);
      expect(await has({ b: "1" })).toBe(false);
      expect(await has({ a: "2" })).toBe(true);
      expect(await has({ a: "2", c: "3" })).toBe(true);
      expect(await has({ a: "2", c: "4" })).toBe(false);
      await pauseOne(store, record);
      expect(idsOf((await pages(store, teamId, { filter: tags({ a: "2" }) })).flat())).toHaveLength(1);
      expect(await store.countRunning(teamId, tags({ a: "2" }))).toBe(0);
      await edit(store, record, { a: "3" });
      expect(idsOf((await pages(store, teamId, { filter: tags({ a: "3", c: "3" }) })).flat())).toHaveLength(1);
    });

    it("finds odd tags, and does not take one for another whose text joins to the same", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const odd = new Map([
        ["__proto__", "1"],
        ["constructor", ""],
        ["0", "zero"],
        ["a\0b", "c"],
        ['quote"\n\r\\', "x\0"],
        ["\u{1f600}", "\u{10ffff}"],
        ["k".repeat(256), "v".repeat(4096)],
      ]);
      const record = await runOne(store, teamId, { metadata: odd });
      expect(record.metadata.value).toEqual(odd);
      for (const [key, value] of odd) {
        const filter = new Map([[key, value]]);
        expect(idsOf((await pages(store, teamId, { filter })).flat())).toEqual([record.sandboxId]);
        expect(await store.countRunning(teamId, filter)).toBe(1);
      }
      for (const [key, value] of [
        ["a", "b\0c"],
        ["a\0", "bc"],
        ["a\0bc", ""],
        ["constructor", " "],
      ] as const) {
        expect((await pages(store, teamId, { filter: new Map([[key, value]]) })).flat()).toEqual([]);
      }
      expect((await pages(store, teamId, { filter: odd })).flat()).toHaveLength(1);
    });

    it("keeps a tag's entry when another tag with the same joined text goes", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId, {
        metadata: new Map([
          ["a", "b\0c"],
          ["a\0b", "c"],
        ]),
      });
      await edit(store, record, new Map([["a\0b", null]]));
      expect((await pages(store, teamId, { filter: tags({ a: "b\0c" }) })).flat()).toHaveLength(1);
    });

    it("finds by template id or alias, and from a start time on, inclusive", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const now = await store.now();
      const found = await Promise.all(
        [0, 1, 2].map(async (i) => {
          const changes = { startedAt: now + i, templateId: `t${i % 2}`, ...(i === 2 && { templateAlias: "alias" }) };
          const one = await manifest(store, teamId, changes);
          await store.adopt(one);
          return one.sandboxId;
        }),
      );
      const list = async (query: Partial<ListQuery>) => idsOf((await pages(store, teamId, query)).flat());
      expect(await list({ template: "t0" })).toEqual([found[2], found[0]]);
      expect(await list({ template: "alias" })).toEqual([found[2]]);
      expect(await list({ template: "none" })).toEqual([]);
      expect(await list({ startedAfter: now + 1 })).toEqual([found[2], found[1]]);
      expect(await list({ startedAfter: now + 1, order: "asc" })).toEqual([found[1], found[2]]);
      expect(await list({ startedAfter: now + 1, order: "asc", limit: 1 })).toEqual([found[1], found[2]]);
      expect(await list({ startedAfter: now + 3 })).toEqual([]);
      const after = { startedAt: now - 5, sandboxId: "a" };
      expect(await list({ startedAfter: now + 2, order: "asc", after })).toEqual([found[2]]);
    });

    it("finds nothing for more tags than a sandbox may have", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await runOne(store, teamId);
      const filter = new Map(Array.from({ length: metadataLimits.keys + 1 }, (_, i) => [`k${i}`, ""] as const));
      expect((await pages(store, teamId, { filter })).flat()).toEqual([]);
      expect(await store.countRunning(teamId, filter)).toBe(0);
    });

    it("knows nothing of a team that does not exist", async () => {
      const { store } = subject;
      expect((await pages(store, "no-such-team", {})).flat()).toEqual([]);
      expect(await store.countRunning("no-such-team", new Map())).toBe(0);
    });

    it("agrees with sorting and filtering everything, for any sandboxes and any query", async () => {
      const { store } = subject;
      const key = fc.constantFrom("a", "b", "a\0b");
      const value = fc.constantFrom("1", "2", "b\0");
      const tagged = fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 3 });
      const sandbox = fc.record({
        start: fc.integer({ min: 0, max: 4 }),
        tags: tagged,
        edits: fc.array(fc.tuple(key, fc.option(value)), { maxLength: 2 }),
        template: fc.constantFrom("t1", "t2"),
        paused: fc.boolean(),
      });
      const query = fc.record(
        {
          states: fc.constantFrom<ListQuery["states"]>(["running"], ["paused"], ["running", "paused"]),
          filter: tagged.map((entries) => new Map(entries)),
          order: fc.constantFrom("asc" as const, "desc" as const),
          template: fc.constantFrom("t1", "t2"),
          startedAfter: fc.integer({ min: 0, max: 5 }),
          limit: fc.integer({ min: 1, max: 5 }),
        },
        { requiredKeys: ["states", "filter", "order", "limit"] },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(sandbox, { maxLength: 12 }),
          fc.array(query, { minLength: 1, maxLength: 5 }),
          async (sandboxes, queries) => {
            const teamId = await newTeam(store);
            const base = (await store.now()) - 1_000_000;
            for (const one of sandboxes) {
              const startedAt = base + one.start;
              const metadata = { value: new Map(one.tags), revision: base };
              const found = await manifest(store, teamId, { startedAt, metadata, templateId: one.template });
              await adoptOne(store, found);
              for (const [name, edited] of one.edits) await edit(store, found, new Map([[name, edited]]));
              const record = await store.get(teamId, found.sandboxId);
              if (one.paused && record) await pauseOne(store, record);
            }
            const all = (await pages(store, teamId, { limit: 1000 })).flat();
            expect(all).toHaveLength(sandboxes.length);
            for (const { startedAfter, ...rest } of queries) {
              const asked = { ...rest, ...(startedAfter !== undefined && { startedAfter: base + startedAfter }) };
              const expected = all.filter((record) => matches(record, asked)).toSorted(newestFirst);
              const found = await pages(store, teamId, asked);
              expect(found.flat()).toEqual(asked.order === "desc" ? expected : expected.toReversed());
              // No page is empty while there is more, and none but the last is short.
              expect(found.slice(0, -1).every((page) => page.length === asked.limit)).toBe(true);
              const running = all.filter((record) => matches(record, { ...bare, filter: asked.filter }));
              expect(await store.countRunning(teamId, asked.filter)).toBe(running.length);
            }
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}

const bare: ListQuery = { states: ["running"], filter: new Map(), order: "desc", limit: 1 };

/** All pages, as a client would fetch them. */
async function pages(store: SandboxStore, teamId: string, query: Partial<ListQuery>): Promise<SandboxRecord[][]> {
  const asked: ListQuery = { ...bare, states: ["running", "paused"], limit: 100, ...query };
  const found: SandboxRecord[][] = [];
  let next = asked.after;
  do {
    const page = await store.list(teamId, next ? { ...asked, after: next } : asked);
    found.push([...page.sandboxes]);
    next = page.next;
  } while (next);
  return found;
}

function matches(record: SandboxRecord, query: ListQuery): boolean {
  const state = record.state === "paused" ? "paused" : "running";
  return (
    query.states.includes(state) &&
    (query.template === undefined || query.template === record.templateId) &&
    (query.startedAfter === undefined || record.startedAt >= query.startedAfter) &&
    [...query.filter].every(([key, value]) => record.metadata.value.get(key) === value)
  );
}

function newestFirst(a: SandboxRecord, b: SandboxRecord): number {
  return b.startedAt - a.startedAt || (a.sandboxId < b.sandboxId ? -1 : 1);
}
