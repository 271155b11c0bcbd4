import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countsAsConcurrent,
  mayBecome,
  publicState,
  type SandboxState,
  stateConflict,
  transitionalStates,
} from "./state.ts";

const states: readonly SandboxState[] = [
  "creating",
  "running",
  "pausing",
  "paused",
  "resuming",
  "snapshotting",
  "killing",
  "lost",
];

describe("a sandbox's states", () => {
  it("lead from a create over a pause and a resume back to running", () => {
    const life: SandboxState[] = ["creating", "running", "pausing", "paused", "resuming", "running", "killing"];
    for (const [i, from] of life.slice(0, -1).entries()) expect(mayBecome(from, life[i + 1] ?? from)).toBe(true);
    expect(mayBecome("running", "snapshotting") && mayBecome("snapshotting", "running")).toBe(true);
  });

  it("can be ended from anywhere, and nothing comes back from its end", () => {
    for (const state of states) {
      expect(mayBecome(state, "killing")).toBe(state !== "killing");
      expect(mayBecome("killing", state)).toBe(false);
    }
  });

  it("are not skipped: nothing is paused or running without what leads there", () => {
    expect(mayBecome("running", "paused")).toBe(false);
    expect(mayBecome("paused", "running")).toBe(false);
    expect(mayBecome("creating", "paused")).toBe(false);
    for (const state of states) expect(mayBecome(state, "creating")).toBe(state === "creating");
  });

  it("begin anew only where a start is under way", () => {
    expect(states.filter((state) => mayBecome(state, state))).toEqual(["creating", "resuming"]);
  });

  it("always have a way to the end", () => {
    fc.assert(
      fc.property(fc.constantFrom(...states), fc.array(fc.constantFrom(...states)), (start, wanted) => {
        const last = wanted.reduce((state, next) => (mayBecome(state, next) ? next : state), start);
        expect(last === "killing" || mayBecome(last, "killing")).toBe(true);
      }),
    );
  });

  it("show as running or paused, or not at all while they begin or end", () => {
    const shown = Object.fromEntries(states.map((state) => [state, publicState(state)]));
    expect(shown).toEqual({
      creating: undefined,
      running: "running",
      pausing: "paused",
      paused: "paused",
      resuming: "paused",
      snapshotting: "running",
      killing: undefined,
      lost: "running",
    });
  });

  it("count against the team's limit, except paused and ending ones", () => {
    expect(states.filter((state) => !countsAsConcurrent(state))).toEqual(["paused", "killing"]);
  });

  it("on the way end by themselves, so that each has a successor that is not on the way", () => {
    for (const state of transitionalStates) {
      const settled = states.filter((next) => mayBecome(state, next) && !transitionalStates.includes(next));
      expect(settled.length > 0 || state === "killing").toBe(true);
    }
    expect(states.filter((state) => !transitionalStates.includes(state))).toEqual(["running", "paused", "lost"]);
  });

  it("refuse in the words that clients look for", () => {
    expect(stateConflict("i1", "killing")).toMatchObject({
      code: "conflict",
      message: 'Sandbox "i1" is being killed',
    });
    expect(stateConflict("i1", "paused").message).toBe('Sandbox "i1" is paused');
    expect(stateConflict("i1", "pausing").message).toBe('Sandbox "i1" is being paused');
    expect(stateConflict("i1", "snapshotting").message).toBe('Sandbox "i1" is being snapshotted');
  });
});
