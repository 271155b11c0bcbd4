import { expect, it } from "vitest";
import { entryBytes, historyLimits } from "./history.ts";

it("an entry of a history counts with its keys and values in UTF-8; what is removed has no value", () => {
  const delta = new Map([
    ["k", "\u00e4"],
    ["gone", null],
  ]);
  expect(entryBytes({ delta })).toBe(historyLimits.entryBytes + 1 + 2 + 4);
});
