import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newExecutionId, newOperationId, newSandboxId, parseSandboxId } from "./ids.ts";

describe("new ids", () => {
  it("are DNS labels of a fixed form, and never the same", () => {
    const ids = Array.from({ length: 2000 }, () => newSandboxId());
    for (const id of ids) expect(id).toMatch(/^i[a-z0-9]{20}$/);
    expect(new Set(ids).size).toBe(ids.length);
    expect(newExecutionId()).toMatch(/^e[a-z0-9]{24}$/);
  });

  it("favour no letter", () => {
    const letters = Array.from({ length: 3000 }, () => newSandboxId().slice(1)).join("");
    const counts = new Map<string, number>();
    for (const letter of letters) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    const expected = letters.length / 36;
    expect(counts.size).toBe(36);
    for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(expected * 0.15);
  });

  it("of operations grow, so that an index of them is appended to", () => {
    const ids = Array.from({ length: 100 }, () => newOperationId());
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]{22}$/);
  });
});

describe("the sandbox id that a client sent", () => {
  it("is taken alone or in the older form with a client", () => {
    const id = newSandboxId();
    expect(parseSandboxId(id)).toBe(id);
    expect(parseSandboxId(`${id}-6532622b`)).toBe(id);
    expect(parseSandboxId(`${id}-a-b`)).toBe(id);
  });

  it("is not found when it cannot be one, and the answer carries nothing unprintable", () => {
    for (const text of ["", "-", "-client", "A", "a/b", "../x", "a b", "ü", 'a"b', "a\n", "x".repeat(65)]) {
      try {
        parseSandboxId(text);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({
          code: "not_found",
          message: expect.stringMatching(/^Sandbox "[ -~]{0,64}" doesn't/),
        });
      }
    }
  });

  it("is the id or not found, for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        try {
          expect(parseSandboxId(text)).toMatch(/^[a-z0-9]{1,64}$/);
        } catch (error) {
          expect(error).toMatchObject({ code: "not_found" });
        }
      }),
    );
  });
});
