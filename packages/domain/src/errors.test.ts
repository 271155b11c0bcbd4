import { describe, expect, it } from "vitest";
import { CastellanError, hasCode } from "./errors.ts";

describe("the error type", () => {
  it("carries a code for programs, a message for people and a cause for the log", () => {
    const cause = new Error("underneath");
    const error = new CastellanError("unavailable", "Try again", { cause, retryAfterSeconds: 3 });
    expect(error).toMatchObject({ code: "unavailable", message: "Try again", cause, retryAfterSeconds: 3 });
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("CastellanError");
    expect(new CastellanError("internal", "x")).not.toHaveProperty("cause");
  });

  it("keeps what is ours and wraps the rest, without showing it", () => {
    const ours = new CastellanError("not_found", "No such thing");
    expect(CastellanError.from(ours)).toBe(ours);
    const foreign = new TypeError("secret detail");
    expect(CastellanError.from(foreign)).toMatchObject({ code: "internal", message: "Internal error", cause: foreign });
    expect(CastellanError.from("text", "It failed")).toMatchObject({ message: "It failed", cause: "text" });
  });

  it("is told by its code", () => {
    const error: unknown = new CastellanError("conflict", "x");
    expect(hasCode(error, "conflict")).toBe(true);
    expect(hasCode(error, "not_found")).toBe(false);
    expect(hasCode({ code: "conflict" }, "conflict")).toBe(false);
    expect(hasCode(undefined, "conflict")).toBe(false);
  });
});
