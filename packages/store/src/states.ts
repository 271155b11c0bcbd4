import type { SandboxState } from "@castellan/domain";
import { malformed } from "./decoding.ts";

/** All states there are. */
export const allStates: readonly SandboxState[] = [
  "creating",
  "running",
  "pausing",
  "paused",
  "resuming",
  "snapshotting",
  "killing",
  "lost",
];

/** @throws `internal` when the value is none. */
export function decodeState(value: unknown): SandboxState {
  const state = allStates.find((known) => known === value);
  if (state === undefined) throw malformed("a state", value);
  return state;
}
