import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CastellanError } from "./errors.ts";
import {
  applyMetadataDelta,
  checkMetadataLimits,
  type Metadata,
  type MetadataDelta,
  mergeMetadata,
  metadataHash,
  metadataLimits,
  metadataToObject,
  parseMetadata,
  parseMetadataDelta,
  sameMetadata,
} from "./metadata.ts";

const key = fc.oneof(
  fc.constantFrom("a", "b", "c", "__proto__", "constructor", "toString", "hasOwnProperty", "0", "1", "-1"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 10 }),
);
const value = fc.string({ unit: "binary", maxLength: 10 });
const metadata = fc
  .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 10 })
  .map((entries): Metadata => new Map(entries));
const delta = fc
  .uniqueArray(fc.tuple(key, fc.option(value)), { selector: ([name]) => name, maxLength: 8 })
  .map((entries): MetadataDelta => new Map(entries));

describe("merging an edit", () => {
  it("sets, removes, and leaves what it does not name", () => {
    const current = new Map([
      ["keep", "1"],
      ["set", "1"],
      ["gone", "1"],
    ]);
    const edit = new Map([
      ["set", "2"],
      ["new", "3"],
      ["gone", null],
      ["never there", null],
    ]);
    expect(mergeMetadata(current, edit)).toEqual({
      metadata: new Map([
        ["keep", "1"],
        ["set", "2"],
        ["new", "3"],
      ]),
      changed: true,
    });
    expect(current.get("set")).toBe("1");
  });

  it("changes exactly the keys that it names", () => {
    fc.assert(
      fc.property(metadata, delta, (current, edit) => {
        const merged = mergeMetadata(current, edit).metadata;
        for (const name of new Set([...current.keys(), ...edit.keys()])) {
          const expected = edit.has(name) ? (edit.get(name) ?? undefined) : current.get(name);
          expect(merged.get(name)).toBe(expected);
        }
        for (const name of merged.keys()) expect(current.has(name) || edit.has(name)).toBe(true);
      }),
    );
  });

  it("says that it changed something exactly when the result differs", () => {
    fc.assert(
      fc.property(metadata, delta, (current, edit) => {
        const merged = mergeMetadata(current, edit);
        expect(merged.changed).toBe(!sameMetadata(merged.metadata, current));
      }),
    );
  });

  it("made twice is made once", () => {
    fc.assert(
      fc.property(metadata, delta, (current, edit) => {
        const once = mergeMetadata(current, edit).metadata;
        expect(mergeMetadata(once, edit)).toEqual({ metadata: once, changed: false });
      }),
    );
  });

  it("comes to the same in either order when the keys are others", () => {
    fc.assert(
      fc.property(metadata, delta, delta, (current, first, all) => {
        const second = new Map([...all].filter(([name]) => !first.has(name)));
        const oneWay = mergeMetadata(mergeMetadata(current, first).metadata, second).metadata;
        const otherWay = mergeMetadata(mergeMetadata(current, second).metadata, first).metadata;
        expect(sameMetadata(oneWay, otherWay)).toBe(true);
      }),
    );
  });

  it("followed by another is the edit in which the later one wins", () => {
    fc.assert(
      fc.property(metadata, delta, delta, (current, first, second) => {
        const steps = mergeMetadata(mergeMetadata(current, first).metadata, second).metadata;
        const together = mergeMetadata(current, new Map([...first, ...second])).metadata;
        expect(sameMetadata(steps, together)).toBe(true);
      }),
    );
  });

  it("agrees with a JSON merge patch for maps of strings", () => {
    fc.assert(
      fc.property(metadata, delta, (current, edit) => {
        const patched = mergePatch(metadataToObject(current), Object.fromEntries(edit));
        expect(sameMetadata(mergeMetadata(current, edit).metadata, new Map(Object.entries(patched)))).toBe(true);
      }),
    );
  });

  it("is refused beyond the limits, but not when it has no effect", () => {
    const full = new Map(Array.from({ length: metadataLimits.keys }, (_, i) => [`k${i}`, ""] as const));
    expect(() => applyMetadataDelta(full, new Map([["more", "1"]]))).toThrow(/at most 256 keys/);
    const over = new Map([...full, ["more", "1"]]);
    expect(applyMetadataDelta(over, new Map([["more", "1"]])).changed).toBe(false);
    expect(applyMetadataDelta(over, new Map([["more", null]])).metadata.size).toBe(256);
  });
});

describe("reading an edit", () => {
  it("takes null and the empty string for a removal", () => {
    const body: unknown = JSON.parse('{"a":"1","b":null,"c":"","__proto__":"x","constructor":null,"0":"zero"}');
    expect(parseMetadataDelta(body)).toEqual(
      new Map<string, string | null>([
        ["a", "1"],
        ["b", null],
        ["c", null],
        ["__proto__", "x"],
        ["constructor", null],
        ["0", "zero"],
      ]),
    );
    expect(parseMetadataDelta({})).toEqual(new Map());
  });

  it.each([null, undefined, [], ["a"], "text", 1, true])("is refused when it is %j and not an object", (body) => {
    refuses(() => parseMetadataDelta(body), /must be a JSON object/);
    refuses(() => parseMetadata(body), /must be a JSON object/);
  });

  it.each([1, true, {}, [], 0, false])("is refused when a value is %j", (value) => {
    refuses(() => parseMetadataDelta({ key: value }), /value of "key" must be a string or null/);
    refuses(() => parseMetadata({ key: value }), /value of "key" must be a string/);
  });

  it("is refused for an empty key and for lone surrogates", () => {
    refuses(() => parseMetadataDelta({ "": "1" }), /must not be empty/);
    refuses(() => parseMetadataDelta({ "a\ud800": "1" }), /key has a lone surrogate/);
    refuses(() => parseMetadataDelta({ "\udc00a": null }), /key has a lone surrogate/);
    refuses(() => parseMetadataDelta({ a: "\ud800" }), /value of "a" has a lone surrogate/);
    expect(parseMetadataDelta({ "\u{1f600}": "\u{1f600}" }).size).toBe(1);
  });

  it("counts keys and values in UTF-8 bytes, to the last one", () => {
    expect(parseMetadataDelta({ ["é".repeat(128)]: "1" }).size).toBe(1);
    refuses(() => parseMetadataDelta({ [`${"é".repeat(128)}x`]: "1" }), /key may have at most 256 bytes/);
    refuses(() => parseMetadataDelta({ [`${"é".repeat(128)}x`]: null }), /at most 256 bytes/);
    expect(parseMetadataDelta({ a: "\u{1f600}".repeat(1024) }).size).toBe(1);
    refuses(() => parseMetadataDelta({ a: `${"\u{1f600}".repeat(1024)}x` }), /may have at most 4096 bytes/);
  });
});

describe("reading the metadata of a new sandbox", () => {
  it("keeps the empty string as a value", () => {
    expect(parseMetadata({ a: "", b: "1" })).toEqual(
      new Map([
        ["a", ""],
        ["b", "1"],
      ]),
    );
    refuses(() => parseMetadata({ a: null }), /must be a string/);
  });

  it("is refused with one key too many, or one byte", () => {
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, ""]));
    expect(parseMetadata(keys(256)).size).toBe(256);
    refuses(() => parseMetadata(keys(257)), /at most 256 keys/);
    const bytes = Object.fromEntries(
      Array.from({ length: 16 }, (_, i) => [`key${String(i).padStart(5)}`, "v".repeat(4088)]),
    );
    expect(parseMetadata(bytes).size).toBe(16);
    refuses(() => parseMetadata({ ...bytes, k: "" }), /at most 65536 bytes/);
  });

  it("takes anything within the limits, and gives it back as it was", () => {
    fc.assert(
      fc.property(metadata, (wanted) => {
        const parsed = parseMetadata(JSON.parse(JSON.stringify(metadataToObject(wanted))));
        expect(sameMetadata(parsed, wanted)).toBe(true);
        checkMetadataLimits(parsed);
      }),
    );
  });
});

describe("the hash of metadata", () => {
  it("does not depend on the order, and differs when anything differs", () => {
    fc.assert(
      fc.property(metadata, metadata, (one, other) => {
        const reversed = new Map([...one].reverse());
        expect(metadataHash(reversed)).toEqual(metadataHash(one));
        const equal = Buffer.compare(metadataHash(one), metadataHash(other)) === 0;
        expect(equal).toBe(sameMetadata(one, other));
      }),
    );
    const split = (name: string, text: string) => metadataHash(new Map([[name, text]]));
    expect(split("a", "bc")).not.toEqual(split("ab", "c"));
  });

  it("is the SHA-256 of the documented form", () => {
    const form = Buffer.from("\0\0\0\x01a\0\0\0\x031é", "utf8");
    expect(metadataHash(new Map([["a", "1é"]]))).toHaveLength(32);
    expect(Buffer.from(metadataHash(new Map([["a", "1é"]]))).toString("hex")).toBe(sha256(form));
    expect(Buffer.from(metadataHash(new Map())).toString("hex")).toBe(sha256(Buffer.alloc(0)));
  });

  it("sorts keys by their bytes, as every language can", () => {
    // In UTF-16 order the emoji would come before U+FFFD.
    const forward = new Map([
      ["\ufffd", "1"],
      ["\u{1f600}", "2"],
    ]);
    const form = Buffer.concat(
      ["\ufffd", "1", "\u{1f600}", "2"].map((text) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(Buffer.byteLength(text));
        return Buffer.concat([length, Buffer.from(text)]);
      }),
    );
    expect(Buffer.from(metadataHash(forward)).toString("hex")).toBe(sha256(form));
  });
});

describe("metadata as a plain object", () => {
  it("keeps keys that objects have a meaning for", () => {
    const plain = metadataToObject(new Map([["__proto__", "x"]]));
    expect(Object.keys(plain)).toEqual(["__proto__"]);
    expect(JSON.stringify(plain)).toBe('{"__proto__":"x"}');
  });
});

function refuses(call: () => unknown, message: RegExp): void {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CastellanError);
    expect(error).toMatchObject({ code: "invalid_argument", message: expect.stringMatching(message) });
    return;
  }
  throw new Error("It was not refused");
}

/** RFC 7396, for a target and a patch without nesting. */
function mergePatch(target: Record<string, string>, patch: Record<string, string | null>): Record<string, string> {
  const merged = new Map(Object.entries(target));
  for (const [name, text] of Object.entries(patch)) {
    if (text === null) merged.delete(name);
    else merged.set(name, text);
  }
  return Object.fromEntries(merged);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
