import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import "./base64.ts";

// Loaded afterwards, as in the daemon: it looks for the methods when it is loaded.
const { create, fromJson, toJson } = await import("@bufbuild/protobuf");
const { ProcessInputSchema } = await import("@castellan/contracts/process");

describe("bytes in JSON messages", () => {
  it("come back as they were, whatever their length", () => {
    for (const length of [0, 1, 2, 3, 4, 5, 100, 65_536, 1_000_001]) {
      const bytes = new Uint8Array(randomBytes(length + 8)).subarray(3, 3 + length);
      const json = toJson(ProcessInputSchema, create(ProcessInputSchema, { input: { case: "stdin", value: bytes } }));
      expect(json).toEqual({ stdin: Buffer.from(bytes).toString("base64") });
      expect(Buffer.from(fromJson(ProcessInputSchema, json).input.value ?? []).equals(bytes)).toBe(true);
    }
  });

  it.each(["-_8", "-_8=", "+/8=", "+/8", "+/ 8=\n"])("are understood in the variant %j", (stdin) => {
    const { input } = fromJson(ProcessInputSchema, { stdin });
    expect(input).toEqual({ case: "stdin", value: new Uint8Array([0xfb, 0xff]) });
  });

  it.each(["a", "aGkha", "????", "aGk*", "aGk=aGk*"])("are refused when they are none: %j", (stdin) => {
    expect(() => fromJson(ProcessInputSchema, { stdin })).toThrow("base64");
  });

  it("are encoded fast enough for the output of commands", () => {
    const message = create(ProcessInputSchema, { input: { case: "stdin", value: new Uint8Array(16 * 1024 * 1024) } });
    const started = performance.now();
    toJson(ProcessInputSchema, message);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
