import { expect, it } from "vitest";
import { parseRange } from "./range.ts";

it.each([
  [undefined, "whole"],
  ["bytes=0-3", { first: 0, last: 3 }],
  ["bytes=2-", { first: 2, last: 9 }],
  ["bytes=-4", { first: 6, last: 9 }],
  ["bytes=-40", { first: 0, last: 9 }],
  ["bytes=5-500", { first: 5, last: 9 }],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=5-2", "whole"],
  ["bytes=-", "whole"],
  ["bytes=0-1,3-4", "whole"],
  ["lines=1-2", "whole"],
])("range %s of ten bytes is %o", (header, expected) => {
  expect(parseRange(header, 10)).toEqual(expected);
});

it("no byte of an empty file can be had", () => {
  expect(parseRange("bytes=0-0", 0)).toBe("unsatisfiable");
});
