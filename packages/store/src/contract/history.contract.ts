import { beforeEach, describe, expect, it } from "vitest";
import type { SandboxStore } from "../store.ts";
import { createOne, edit, keyOf, manifest, newTeam, refuses, runOne, type Subject, tags } from "./fixture.ts";

export function describeHistory(subject: Subject): void {
  describe("the history of a sandbox's metadata", () => {
    let store: SandboxStore;
    let teamId: string;
    beforeEach(async () => {
      store = subject.store;
      teamId = await newTeam(store);
    });

    it("begins with what it was created with, and has every effective change, newest first", async () => {
      const record = await runOne(store, teamId, { metadata: tags({ a: "1", "tab\there": "line\nbreak\\" }) });
      const first = await edit(store, record, { b: "2", a: "1" }, { apiKeyId: "key-2" });
      await edit(store, record, { b: "2", never: null });
      const second = await edit(store, record, { a: null, c: "=\t-", b: "2" });
      const page = await store.metadataHistory(teamId, record.sandboxId, { limit: 1_000 });
      expect(page?.entries).toEqual([
        {
          revision: second.record.metadata.revision,
          at: expect.any(Number),
          kind: "edited",
          delta: new Map([
            ["a", null],
            ["c", "=\t-"],
          ]),
          apiKeyId: "key-1",
        },
        {
          revision: first.record.metadata.revision,
          at: expect.any(Number),
          kind: "edited",
          delta: tags({ b: "2" }),
          apiKeyId: "key-2",
        },
        {
          revision: record.metadata.revision,
          at: expect.any(Number),
          kind: "created",
          delta: tags({ a: "1", "tab\there": "line\nbreak\\" }),
          apiKeyId: "key-1",
        },
      ]);
      expect(page?.oldestRevision).toBe(record.metadata.revision);
      const now = await store.now();
      for (const { at } of page?.entries ?? []) expect(Math.abs(now - at)).toBeLessThan(60_000_000);
    });

    it("adds up to the metadata as it is", async () => {
      const record = await runOne(store, teamId, { metadata: tags({ a: "0" }) });
      for (let n = 0; n < 40; n += 1) {
        await edit(store, record, { [`k${n % 7}`]: n % 3 === 0 ? null : String(n), a: String(n) });
      }
      const page = await store.metadataHistory(teamId, record.sandboxId, { limit: 1_000 });
      const sum = new Map<string, string>();
      for (const { delta } of page?.entries.toReversed() ?? []) {
        for (const [key, value] of delta) value === null ? sum.delete(key) : sum.set(key, value);
      }
      expect(sum).toEqual((await store.get(teamId, record.sandboxId))?.metadata.value);
    });

    it("has no entry of an edit that was refused", async () => {
      const record = await runOne(store, teamId);
      await refuses(edit(store, record, { a: "1" }, { ifMatch: 1 }), "precondition_failed");
      await refuses(edit(store, record, { a: "1" }, { epoch: 1 }), "unavailable");
      expect((await store.metadataHistory(teamId, record.sandboxId, { limit: 10 }))?.entries).toHaveLength(1);
    });

    it("comes in pages, and keeps the newest thousand", async () => {
      const record = await runOne(store, teamId);
      for (let n = 0; n < 1_100; n += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => edit(store, record, { n: String(n + i) })));
      }
      const revisions: number[] = [];
      let oldest: number | undefined;
      for (;;) {
        const before = revisions.at(-1);
        const query = before === undefined ? { limit: 300 } : { limit: 300, before };
        const page = await store.metadataHistory(teamId, record.sandboxId, query);
        if (page === undefined || page.entries.length === 0) break;
        revisions.push(...page.entries.map(({ revision }) => revision));
        oldest = page.oldestRevision;
      }
      expect(revisions).toHaveLength(1_000);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => b - a));
      expect(revisions[0]).toBe((await store.get(teamId, record.sandboxId))?.metadata.revision);
      expect(revisions.at(-1)).toBe(oldest);
    });

    it("keeps the newest mebibyte of large changes", async () => {
      const record = await runOne(store, teamId);
      const large = (n: number) =>
        Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`k${i}`, `${n}`.padStart(4096, "v")]));
      for (let n = 0; n < 60; n += 1) await edit(store, record, large(n));
      const page = await store.metadataHistory(teamId, record.sandboxId, { limit: 1_000 });
      expect(page?.entries).toHaveLength(Math.floor((1024 * 1024) / (12 * 4096 + 26 + 64)));
    });

    it("begins with the adoption where the store had forgotten the sandbox", async () => {
      const found = await manifest(store, teamId, { metadata: { value: tags({ a: "1" }), revision: 77 } });
      await store.adopt(found);
      expect(await store.metadataHistory(teamId, found.sandboxId, { limit: 10 })).toEqual({
        entries: [{ revision: 77, at: expect.any(Number), kind: "adopted", delta: tags({ a: "1" }) }],
        oldestRevision: 77,
      });
    });

    it("goes with the sandbox, and is no other team's", async () => {
      const record = await createOne(store, teamId, { metadata: tags({ a: "1" }) });
      const other = await newTeam(store);
      expect(await store.metadataHistory(other, record.sandboxId, { limit: 10 })).toBeUndefined();
      await store.remove(keyOf(record));
      expect(await store.metadataHistory(teamId, record.sandboxId, { limit: 10 })).toBeUndefined();
      const again = await createOne(store, teamId, { sandboxId: record.sandboxId });
      expect((await store.metadataHistory(teamId, again.sandboxId, { limit: 10 }))?.entries).toHaveLength(1);
    });
  });
}
