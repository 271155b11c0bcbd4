import { describe, expect, it } from "vitest";
import { historyLimits, type MetadataHistoryEntry, withinHistory } from "./history.ts";

function entries(count: number, valueBytes: number): MetadataHistoryEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    revision: count - i,
    at: 0,
    kind: "edited",
    delta: new Map([["k", "v".repeat(valueBytes)]]),
  }));
}

describe("a history", () => {
  it("is whole up to a thousand entries, and loses the oldest beyond", () => {
    expect(withinHistory(entries(1_000, 1))).toHaveLength(1_000);
    const kept = withinHistory(entries(1_001, 1));
    expect(kept).toHaveLength(1_000);
    expect(kept.at(-1)?.revision).toBe(2);
  });

  it("has at most a mebibyte, to the byte", () => {
    const fitting = historyLimits.bytes / 128 - 64 - 1;
    expect(withinHistory(entries(128, fitting))).toHaveLength(128);
    expect(withinHistory(entries(128, fitting + 1))).toHaveLength(127);
  });

  it("always has the newest entry", () => {
    expect(withinHistory(entries(2, 2 * historyLimits.bytes))).toHaveLength(1);
    expect(withinHistory([])).toEqual([]);
  });
});
