import {
  applyMetadataDelta,
  type Metadata,
  type MetadataDelta,
  parseJson,
  parseMetadataDelta,
} from "@castellan/domain";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { edit, newTeam, runOne, type Subject, stored } from "./fixture.ts";
import { anyDelta, anyMetadata } from "./merge-arbitraries.ts";

/** What must hold of any merge, whoever computes it: the domain in TypeScript, Lua in Redis, SQLite's adapter. */
export function describeMergeLaws(subject: Subject): void {
  describe("the merge", () => {
    it.each(appendix)(
      "does what RFC 7396 shows in its appendix: %s and %s make %s",
      async (original, patch, result) => {
        const start = tagsIn(original);
        const delta = parseMetadataDelta(parseJson(patch));
        expect(applyMetadataDelta(start, delta).metadata).toEqual(tagsIn(result));
        expect(await editAll(start, [delta])).toEqual(tagsIn(result));
      },
    );

    it("reads keys with escapes as the keys that they stand for", async () => {
      const patch = '{"\\u005f_proto__":"1","\\u0000":"2","\\ud83d\\ude00":"3","constructor":"4","10":"5","9":"6"}';
      const expected = new Map([
        ["__proto__", "1"],
        ["\0", "2"],
        ["\u{1f600}", "3"],
        ["constructor", "4"],
        ["10", "5"],
        ["9", "6"],
      ]);
      expect(await editAll(new Map(), [parseMetadataDelta(parseJson(patch))])).toEqual(expected);
    });

    it("is idempotent: an edit that is made twice changes nothing the second time", async () => {
      const { store } = subject;
      const teamId = await newTeam(store);
      await fc.assert(
        fc.asyncProperty(anyMetadata, anyDelta, async (start, delta) => {
          const once = applyMetadataDelta(start, delta).metadata;
          expect(applyMetadataDelta(once, delta)).toEqual({ metadata: once, changed: false });
          const record = await runOne(store, teamId, { metadata: start });
          const first = await edit(store, record, delta);
          const second = await edit(store, record, delta);
          expect(second.changed).toBe(false);
          expect(second.record.metadata).toEqual(first.record.metadata);
        }),
        { numRuns },
      );
    });

    it("composes: two edits do what the two written over each other do", async () => {
      await fc.assert(
        fc.asyncProperty(anyMetadata, anyDelta, anyDelta, async (start, first, second) => {
          const both: MetadataDelta = new Map([...first, ...second]);
          const expected = applyMetadataDelta(start, both).metadata;
          expect(sorted(applyMetadataDelta(applyMetadataDelta(start, first).metadata, second).metadata)).toEqual(
            sorted(expected),
          );
          const inTurn = await editAll(start, [first, second]);
          expect(sorted(inTurn)).toEqual(sorted(expected));
          expect(sorted(await editAll(start, [both]))).toEqual(sorted(expected));
        }),
        { numRuns },
      );
    });

    it("lets edits of different keys come in any order", async () => {
      await fc.assert(
        fc.asyncProperty(anyMetadata, anyDelta, anyDelta, async (start, first, second) => {
          const other: MetadataDelta = new Map([...second].filter(([name]) => !first.has(name)));
          const oneWay = applyMetadataDelta(applyMetadataDelta(start, first).metadata, other).metadata;
          const otherWay = applyMetadataDelta(applyMetadataDelta(start, other).metadata, first).metadata;
          expect(sorted(oneWay)).toEqual(sorted(otherWay));
          expect(sorted(await editAll(start, [first, other]))).toEqual(sorted(oneWay));
          expect(sorted(await editAll(start, [other, first]))).toEqual(sorted(oneWay));
        }),
        { numRuns },
      );
    });
  });

  async function editAll(start: Metadata, deltas: readonly MetadataDelta[]): Promise<Metadata> {
    const { store } = subject;
    const record = await runOne(store, await newTeam(store), { metadata: start });
    for (const delta of deltas) await edit(store, record, delta);
    return (await stored(store, record)).metadata.value;
  }
}

const numRuns = 40;

/** Those of the appendix whose values are strings or null, which is all that metadata has. */
const appendix: readonly [original: string, patch: string, result: string][] = [
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', "{}"],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":"foo"}', '{"b":null}', '{"a":"foo"}'],
  ["{}", '{"a":null}', "{}"],
];

function tagsIn(text: string): Metadata {
  const parsed = parseJson(text);
  if (typeof parsed !== "object" || parsed === null) throw new Error("no object");
  return new Map(Object.entries(parsed).map(([key, value]) => [key, String(value)]));
}

function sorted(metadata: Metadata): [string, string][] {
  return [...metadata].sort(([a], [b]) => (a < b ? -1 : 1));
}
