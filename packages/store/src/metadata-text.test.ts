import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { metadataBytes, metadataText, parseMetadataText } from "./metadata-text.ts";

const text = fc.oneof(
  fc.constantFrom("\\", "\n", "\t", "\\n", "\\t", "\\\\", "n", "t", "a\tb", "\0", "é", "\u{1f600}"),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const metadata = fc
  .uniqueArray(fc.tuple(text, text), { selector: ([key]) => key, maxLength: 8 })
  .map((entries) => new Map(entries));

describe("metadata as text", () => {
  it("comes back as it was, one line per entry and one tab per line, whatever is in it", () => {
    fc.assert(
      fc.property(metadata, (wanted) => {
        const lines = metadataText(wanted);
        expect(parseMetadataText(lines)).toEqual(wanted);
        expect(lines.split("\n")).toHaveLength(wanted.size + 1);
        expect(lines.split("\t")).toHaveLength(wanted.size + 1);
      }),
    );
  });

  it("is refused when it is something else, rather than read for ever", () => {
    for (const text of ["a", "a\tb", "a\n", "\n", "a\tb\nc", "a\tb\nc\n"]) {
      expect(() => parseMetadataText(text)).toThrow(/cannot be read/);
    }
  });

  it("is counted before it is escaped", () => {
    expect(metadataBytes(new Map([["\\\n", "é\t"]]))).toBe(5);
    expect(metadataBytes(new Map())).toBe(0);
  });
});
