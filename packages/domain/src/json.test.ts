import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "./json.ts";

/** Keys that the engine takes for one another, and the rest. */
const key = fc.oneof(
  fc.constantFrom("\\", "\n", '"', "\\n", "\n?", "\\u0", "ABC", "a", "__proto__", "constructor", "0", "", "\u2028"),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -1.5e-7, 1e21, "", '"\\\n'),
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

describe("reading JSON with keys that somebody else chose", () => {
  it("reads each key as it is written, whatever was read before", () => {
    expect(keysOf('{"a":1,"\\\\":1}')).toEqual(["a", "\\"]);
    expect(keysOf('{"a":1,"\\n":1}')).toEqual(["a", "\n"]);
    expect(keysOf('{"a":1,"\\"":1}')).toEqual(["a", '"']);
    expect(keysOf('{"a":1,"\\u0041":1}')).toEqual(["a", "A"]);
    expect(keysOf('{"c":1,"\\\\n":1}')).toEqual(["c", "\\n"]);
    expect(keysOf('{"c":1,"\\n?":1}')).toEqual(["c", "\n?"]);
    expect(keysOf('{"d":1,"\\\\u0":1}')).toEqual(["d", "\\u0"]);
    expect(keysOf('{"d":1,"\\u0041BC":1}')).toEqual(["d", "ABC"]);
  });

  it("gives back what was written, for any value", () => {
    fc.assert(
      fc.property(value, fc.constantFrom(0, 2), (wanted, indent) => {
        const text = JSON.stringify(wanted, undefined, indent);
        expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(wanted));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps __proto__ as a key and the last of equal keys", () => {
    const parsed = parseJson('{"__proto__":{"x":1},"a":"\\n","a":2}');
    expect(JSON.stringify(parsed)).toBe('{"__proto__":{"x":1},"a":2}');
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  });

  it("takes and refuses the same texts as the engine", () => {
    const token = fc.constantFrom(
      ...[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"a"',
        '"\\n"',
        '"\\x"',
        '"\\u12"',
        '"\n"',
        '"',
        "\\",
        "1",
        "-",
        "01",
        "1.",
        ".5",
      ],
      ...["1e5", "-0", "+1", "true", "nul", "null", "NaN", " ", "\t", "\n", "\u00a0", "\ufeff", "a"],
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
        // A backslash in white space would change the text; one in an own string takes it the long way.
        const text = `[${tokens.join("")},"\\\\"]`;
        expect(outcome(() => parseJson(text))).toEqual(outcome(() => JSON.parse(text)));
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses what is nested without end, rather than running out of stack", () => {
    const deep = (levels: number) => `${"[".repeat(levels)}"\\n"${"]".repeat(levels)}`;
    expect(() => parseJson(deep(200_000))).toThrow(SyntaxError);
    expect(Array.isArray(parseJson(deep(500)))).toBe(true);
  });

  it("takes its time in proportion to the text", () => {
    const text = `["${"\\n".repeat(200_000)}${"x".repeat(200_000)}"]`;
    const begun = performance.now();
    parseJson(text);
    expect(() => parseJson(text.slice(0, -2))).toThrow(SyntaxError);
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

function keysOf(text: string): string[] {
  return Object.keys(Object(parseJson(text)));
}

function outcome(parse: () => unknown): string {
  try {
    return JSON.stringify(parse());
  } catch (error) {
    return error instanceof SyntaxError ? "SyntaxError" : String(error);
  }
}
