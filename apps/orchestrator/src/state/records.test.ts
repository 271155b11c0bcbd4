import { describe, expect, it } from "vitest";
import { NodeState } from "./node-state.ts";
import { decodeRecord, encodeRecord, type StateRecord } from "./records.ts";

const key = { sandboxId: "i1", executionId: "e1" };
const lived: StateRecord[] = [
  { kind: "node", epoch: 5, highestRevision: 9, nextSequence: 1 },
  { kind: "starting", ...key, generation: 2 },
  { kind: "starting", sandboxId: "i2", executionId: "e2", generation: 1 },
  {
    kind: "live",
    ...key,
    epoch: 5,
    metadata: {
      revision: 7,
      entries: [
        ["__proto__", "\n\r\u2028 \ud83d\ude00"],
        ["", ""],
      ],
    },
    endTime: { revision: 8, endAt: 1_700_000_000_000_000, dueAt: 1_700_000_000_000.25 },
    egress: { revision: 9, allowOut: ["1.1.1.1"], denyOut: ["0.0.0.0/0"] },
  },
  { kind: "running", ...key },
  { kind: "deleted", sandboxId: "i2", executionId: "e2", sequence: 1, cause: "start_failed", at: 10 },
  { kind: "refused", executionId: "e3", at: 11 },
];

describe("the records of a node's state", () => {
  it("come back from their lines as they were", () => {
    for (const record of lived) expect(decodeRecord(encodeRecord(record).trimEnd())).toEqual(record);
  });

  it("are one line each, whatever the metadata holds", () => {
    for (const record of lived) expect(encodeRecord(record).indexOf("\n")).toBe(encodeRecord(record).length - 1);
  });

  it("make the same state again from a snapshot, through its lines", () => {
    const state = new NodeState();
    for (const record of lived) state.apply(record);
    const again = new NodeState();
    for (const record of state.snapshot(12)) {
      const read = decodeRecord(encodeRecord(record).trimEnd());
      expect(read).toEqual(record);
      if (read !== undefined) again.apply(read);
    }
    expect(again.held("i1")).toEqual(state.held("i1"));
    expect(again.held("i2")).toEqual(state.held("i2"));
    expect([...again.deletions]).toMatchObject([{ executionId: "e2", sequence: 1, cause: "start_failed" }]);
    expect(again.epoch).toBe(5);
    expect(again.highestRevision).toBe(9);
    expect([again.refuses("e2"), again.refuses("e3"), again.refuses("e1")]).toEqual([true, true, false]);
    expect(again.takeSequence()).toBe(2);
  });

  it("forget refused executions after a week, when no request to start one can be under way any more", () => {
    const state = new NodeState();
    state.apply({ kind: "refused", executionId: "e3", at: 0 });
    state.snapshot(7 * 24 * 3600 * 1000 + 1);
    expect(state.refuses("e3")).toBe(false);
  });
});
