import { CastellanError } from "./errors.ts";

/**
 * `creating → running → pausing → paused → resuming → running`, `snapshotting` (returns to running), `killing → gone`,
 * and `lost`, while a sandbox's node does not answer. "Gone" is no state: the record is removed.
 */
export type SandboxState =
  | "creating"
  | "running"
  | "pausing"
  | "paused"
  | "resuming"
  | "snapshotting"
  | "killing"
  | "lost";

const transitions: Readonly<Record<SandboxState, readonly SandboxState[]>> = {
  creating: ["creating", "running", "killing"],
  running: ["pausing", "snapshotting", "killing", "lost"],
  pausing: ["paused", "running", "killing", "lost"],
  paused: ["resuming", "killing", "lost"],
  resuming: ["resuming", "running", "paused", "killing", "lost"],
  snapshotting: ["running", "killing", "lost"],
  killing: [],
  lost: ["running", "paused", "killing"],
};

/** Whether a record may go from one state to the other; a start may begin anew, as another execution. */
export function mayBecome(from: SandboxState, to: SandboxState): boolean {
  return transitions[from].includes(to);
}

/** States that end by themselves or are settled by asking the node once their deadline has passed. */
export const transitionalStates: readonly SandboxState[] = [
  "creating",
  "pausing",
  "resuming",
  "snapshotting",
  "killing",
];

/** Whether a sandbox is there although its execution has ended: a pause ends it, and a resume may fail. */
export function outlivesExecution(state: SandboxState): boolean {
  return state === "pausing" || state === "paused" || state === "resuming";
}

/** How a state shows to clients; `undefined` where the sandbox is not found. */
export function publicState(state: SandboxState): "running" | "paused" | undefined {
  switch (state) {
    case "running":
    case "snapshotting":
    case "lost":
      return "running";
    case "pausing":
    case "paused":
    case "resuming":
      return "paused";
    case "creating":
    case "killing":
      return undefined;
  }
}

/** Whether the sandbox counts against its team's limit of concurrent sandboxes. */
export function countsAsConcurrent(state: SandboxState): boolean {
  return state !== "paused" && state !== "killing";
}

/** The error of a request that a sandbox's state does not allow, in the words that clients match. */
export function stateConflict(sandboxId: string, state: SandboxState): CastellanError {
  const words: Readonly<Record<SandboxState, string>> = {
    creating: "being created",
    running: "running",
    pausing: "being paused",
    paused: "paused",
    resuming: "being resumed",
    snapshotting: "being snapshotted",
    killing: "being killed",
    lost: "lost: its node does not answer",
  };
  return new CastellanError("conflict", `Sandbox "${sandboxId}" is ${words[state]}`);
}
