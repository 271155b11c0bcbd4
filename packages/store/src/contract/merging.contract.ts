import {
  applyMetadataDelta,
  CastellanError,
  type Metadata,
  type MetadataDelta,
  metadataLimits,
  sameMetadata,
} from "@castellan/domain";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { edit, newTeam, refuses, runOne, type Subject, stored } from "./fixture.ts";
import { anyDelta, anyMetadata } from "./merge-arbitraries.ts";

/**
 * The merge exists in TypeScript and in Lua. The same generated edits go through the domain's function and the store, one
 * after the other, and both must agree after each: on the map, on whether it changed, and on what is refused.
 */
export function describeMerging(subject: Subject): void {
  describe("the merge in the store and the merge of the domain", () => {
    it("agree for any metadata and any sequence of edits", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await fc.assert(
        fc.asyncProperty(anyMetadata, fc.array(anyDelta, { minLength: 1, maxLength: 6 }), async (start, deltas) => {
          const record = await runOne(store, teamId, { metadata: start });
          let model: Metadata = start;
          for (const one of deltas) {
            const expected = applyMetadataDelta(model, one);
            const commit = await edit(store, record, one);
            expect(commit.changed).toBe(expected.changed);
            expect(sameMetadata(commit.record.metadata.value, expected.metadata)).toBe(true);
            model = expected.metadata;
          }
          expect(sameMetadata((await stored(store, record)).metadata.value, model)).toBe(true);
        }),
        { numRuns: 100 },
      );
    });

    it("agree at the limits: what one refuses the other refuses, and then nothing has changed", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(nearLimits, fc.array(largeDelta, { minLength: 1, maxLength: 4 }), async (start, deltas) => {
          const record = await runOne(store, teamId, { metadata: start });
          let model: Metadata = start;
          for (const one of deltas) {
            const expected = outcome(() => applyMetadataDelta(model, one).metadata);
            if (expected instanceof CastellanError) {
              refused += 1;
              await expect(edit(store, record, one)).rejects.toMatchObject({
                code: expected.code,
                message: expected.message,
              });
            } else {
              await edit(store, record, one);
              model = expected;
            }
            expect(sameMetadata((await stored(store, record)).metadata.value, model)).toBe(true);
          }
        }),
        { numRuns: 60 },
      );
      expect(refused).toBeGreaterThan(5);
    });

    it("counts keys and UTF-8 bytes to the last one", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      const keys = (count: number) => new Map(Array.from({ length: count }, (_, i) => [`k${i}`, ""] as const));
      const full = await runOne(store, teamId, { metadata: keys(metadataLimits.keys) });
      await refuses(edit(store, full, { more: "1" }), "invalid_argument", /at most 256 keys/);
      expect((await edit(store, full, { k0: null, more: "1" })).changed).toBe(true);
      expect((await edit(store, full, { k1: "other value" })).changed).toBe(true);

      // 15 × 4,096 and one more value; the emoji has 4 bytes.
      const large = new Map(Array.from({ length: 15 }, (_, i) => [`key${i}`.padEnd(8), "v".repeat(4088)] as const));
      const record = await runOne(store, teamId, { metadata: large });
      const left = metadataLimits.totalBytes - 15 * 4096;
      const fits = `${"v".repeat(left - 8)}\u{1f600}`;
      await refuses(edit(store, record, { key: `${fits}\u{e9}` }), "invalid_argument", /65536 bytes/);
      await refuses(edit(store, record, { key: `${fits}vv` }), "invalid_argument");
      expect((await edit(store, record, { key: `${fits}v` })).changed).toBe(true);
      await refuses(edit(store, record, { k: "" }), "invalid_argument");
      expect((await edit(store, record, { key: "" })).changed).toBe(true);
      expect((await edit(store, record, { k: "" })).changed).toBe(true);
    });

    it("counts line breaks, tabs and backslashes as the single bytes that they are", async () => {
      const { store } = subject;
      const odd = "\n\t\\".repeat(1365);
      const large = new Map(
        Array.from({ length: 15 }, (_, i) => [`\n${i.toString(16)}`, `${odd}v`.slice(0, 4094)] as const),
      );
      const record = await runOne(store, await newTeam(store), { metadata: large });
      const left = metadataLimits.totalBytes - 15 * 4096;
      const fits = `${odd}`.slice(0, left - 2);
      await refuses(edit(store, record, { "\t\\": `${fits}\n` }), "invalid_argument", /65536 bytes/);
      expect((await edit(store, record, { "\t\\": fits })).changed).toBe(true);
      await refuses(edit(store, record, { k: "" }), "invalid_argument");
      expect((await edit(store, record, { "\t\\": fits.slice(1), k: "" })).changed).toBe(true);
    });

    it("takes an edit of more keys than a script may pass at once", async () => {
      const { store } = subject;
      const record = await runOne(store, await newTeam(store), { metadata: new Map([["k7", "1"]]) });
      const many: MetadataDelta = new Map(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, null] as const));
      expect((await edit(store, record, many)).record.metadata.value).toEqual(new Map());
      const sets = new Map(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, "1"] as const));
      await refuses(edit(store, record, sets), "invalid_argument");
    });
  });
}

/** Close to 64 KiB or to 256 keys. */
const nearLimits = fc.oneof(
  fc.integer({ min: 15, max: 16 }).map((count) => new Map(Array.from({ length: count }, (_, i) => entry(i, 4080)))),
  fc.integer({ min: 254, max: 256 }).map((count) => new Map(Array.from({ length: count }, (_, i) => entry(i, 1)))),
);
const largeDelta = fc
  .uniqueArray(
    fc.tuple(
      fc.integer({ min: 0, max: 260 }),
      fc.option(
        fc.oneof(
          fc.integer({ min: 0, max: 4 }).map((length) => "\u{e9}".repeat(length)),
          fc.integer({ min: 3900, max: 4096 }).map((length) => "x".repeat(length)),
        ),
      ),
    ),
    { selector: ([index]) => index, maxLength: 4 },
  )
  .map((entries): MetadataDelta => new Map(entries.map(([index, text]) => [`k${index}`, text])));

function entry(index: number, length: number): readonly [string, string] {
  return [`k${index}`, "v".repeat(length)];
}

function outcome<T>(run: () => T): T | CastellanError {
  try {
    return run();
  } catch (error) {
    if (error instanceof CastellanError) return error;
    throw error;
  }
}
