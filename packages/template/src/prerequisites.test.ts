import { expect, it } from "vitest";
import { prerequisites } from "./prerequisites.ts";

it("names each program once, and says what it is for", () => {
  const commands = prerequisites.map(({ command }) => command);
  expect(new Set(commands).size).toBe(commands.length);
  for (const { why, for: purposes } of prerequisites) {
    expect(why).not.toBe("");
    expect(purposes.length).toBeGreaterThan(0);
  }
});

it("needs for the tests and the benchmark all that a start needs", () => {
  for (const { command, for: purposes } of prerequisites.filter((each) => each.for.includes("start"))) {
    expect([command, ...purposes]).toEqual([command, "start", "test", "bench"]);
  }
});
