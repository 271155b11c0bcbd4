import type { Metadata, MetadataDelta } from "./metadata.ts";
import type { EgressPolicy } from "./network.ts";
import type { Micros, Revision } from "./revision.ts";
import type { SandboxState } from "./state.ts";

/** What can be said about a sandbox's life; in public each has `sandbox.lifecycle.` before it. */
export const lifecycleEventTypes = [
  "created",
  "updated",
  "paused",
  "resumed",
  "checkpointed",
  "killed",
  "lost",
] as const;

export type LifecycleEventType = (typeof lifecycleEventTypes)[number];

/** Grows with every event of a team, over all epochs of the store; microseconds since 1970 as far as the clock allows. */
export type EventId = number;

/** Why a sandbox was killed. */
export const endCauses = [
  /** Somebody asked for it. */
  "requested",
  /** Its end time came. */
  "timeout",
  /** Its client went away before it was told of the sandbox. */
  "client_gone",
  /** Its start failed after it had been seen running. */
  "start_failed",
  /** A transitional state was past its deadline. */
  "overdue",
  /** Its node no longer has it. */
  "node_says_gone",
  /** Its first process ended by itself. */
  "exited",
  /** Its node was told to end its sandboxes. */
  "node_shutdown",
  /** Nobody said. */
  "unknown",
] as const;

export type EndCause = (typeof endCauses)[number];

/** One moment in a sandbox's life, as it stands in its team's stream. */
export interface LifecycleEvent {
  readonly id: EventId;
  readonly type: LifecycleEventType;
  readonly teamId: string;
  readonly sandboxId: string;
  readonly executionId: string;
  readonly templateId: string;
  /** Whose request it was; absent where nobody asked. */
  readonly apiKeyId?: string;
  /** By the store's clock. */
  readonly at: Micros;
  /** The metadata's revision at that moment. */
  readonly revision: Revision;
  /** Start of the execution. */
  readonly startedAt: Micros;
  /** The metadata at that moment; absent for the update of a field. */
  readonly metadata?: Metadata;
  /** What an update changed. */
  readonly change?: LifecycleChange;
  /** Of a kill. */
  readonly cause?: EndCause;
  /** What the execution had; of a kill and a pause. */
  readonly resources?: { readonly cpuCount: number; readonly memoryMb: number };
}

/** What an `updated` event is about. */
export type LifecycleChange =
  /** The effective part of the delta. */
  | { readonly field: "metadata"; readonly delta: MetadataDelta }
  | { readonly field: "endTime"; readonly value: Micros }
  | { readonly field: "egress"; readonly value: EgressPolicy }
  /** The sandbox was lost, or forgotten by the store, and its node has reported it again. */
  | { readonly field: "found" };

/** What a change of state says to the outside, if anything; `found` becomes an update. */
export function eventOfTransition(from: SandboxState, to: SandboxState): LifecycleEventType | "found" | undefined {
  // A sandbox that was never seen running is not seen to end.
  if (to === "killing") return from === "creating" ? undefined : "killed";
  if (to === "lost") return "lost";
  if (from === "lost") return "found";
  if (from === "creating" && to === "running") return "created";
  if (from === "pausing" && to === "paused") return "paused";
  if (from === "resuming" && to === "running") return "resumed";
  if (from === "snapshotting" && to === "running") return "checkpointed";
  return undefined;
}

/** What the removal of a record in this state says, where no transition to `killing` has said it. */
export function eventOfRemoval(state: SandboxState): "killed" | undefined {
  return state === "creating" || state === "killing" ? undefined : "killed";
}
