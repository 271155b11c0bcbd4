import { describe, expect, it } from "vitest";
import { nodeSilent } from "./asking.ts";

describe("a question that a node did not answer", () => {
  it("is an outage of the node, which says nothing about the sandbox", () => {
    expect(nodeSilent("i1", new Error("reset"))).toMatchObject({ code: "unavailable", retryAfterSeconds: 5 });
    expect(nodeSilent("i1", new Error("reset"), new AbortController().signal).code).toBe("unavailable");
  });

  it("is no fault of anybody when the caller went away meanwhile", () => {
    expect(nodeSilent("i1", new Error("aborted"), AbortSignal.abort()).code).toBe("cancelled");
  });
});
