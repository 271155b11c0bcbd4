import { describe, expect, it } from "vitest";
import { editIdempotency } from "./idempotency.ts";

const delta = new Map([
  ["a", "1"],
  ["b", null],
]);

describe("the content of a command with an idempotency key", () => {
  const { content } = editIdempotency("k", delta, undefined);

  it("does not depend on the order of the body, nor on the key", () => {
    expect(editIdempotency("other", new Map([...delta].reverse()), undefined).content).toBe(content);
  });

  it("differs with a key, a value, a removal or a condition", () => {
    const others = [new Map([["a", "1"]]), new Map([...delta, ["a", "2"]]), new Map([...delta, ["b", "null"]])];
    for (const other of others) expect(editIdempotency("k", other, undefined).content).not.toBe(content);
    expect(editIdempotency("k", delta, 0).content).not.toBe(content);
  });
});

describe("an idempotency key", () => {
  it("is 1 to 255 printable characters", () => {
    for (const bad of ["", "x".repeat(256), "a\nb", "\u00fc", "\u007f"]) {
      expect(() => editIdempotency(bad, delta, undefined)).toThrow(/Idempotency-Key must be/);
    }
    expect(editIdempotency("~".repeat(255), delta, undefined).key).toHaveLength(64);
  });
});
