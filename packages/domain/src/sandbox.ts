import type { Isolation } from "./isolation.ts";
import type { TeamLimits } from "./limits.ts";
import type { Metadata } from "./metadata.ts";
import type { EgressPolicy } from "./network.ts";
import type { Epoch, Micros, Revision } from "./revision.ts";
import type { SandboxState } from "./state.ts";

/** What a sandbox may use. */
export interface SandboxResources {
  readonly cpuCount: number;
  /** MiB */
  readonly memoryMb: number;
  /** MiB of the writable layer. */
  readonly diskMb: number;
}

/** What happens at the end time, and on traffic while paused. */
export interface SandboxLifecycle {
  readonly autoPause: boolean;
  readonly autoPauseMemory: boolean;
  readonly autoResume: boolean;
}

/** A live-editable field's state at one revision, and what the newest execution's node last confirmed of it. */
export interface LiveField<T> {
  readonly value: T;
  readonly revision: Revision;
  readonly applied: Revision;
}

/** What never changes during the life of a sandbox. */
export interface SandboxIdentity {
  readonly sandboxId: string;
  readonly teamId: string;
  readonly apiKeyId: string;
  readonly templateId: string;
  /** The alias by which the creator named the template, when it was not its id. */
  readonly templateAlias?: string;
  readonly resources: SandboxResources;
  readonly lifecycle: SandboxLifecycle;
  readonly envdVersion: string;
  /** Present for a secure sandbox. */
  readonly envdAccessToken?: string;
  /** Present when the sandbox takes no public traffic. */
  readonly trafficAccessToken?: string;
  readonly envVars: Readonly<Record<string, string>>;
  /** As the creator said it; absent when nothing was said. */
  readonly allowInternetAccess?: boolean;
  /** Absent in records from before there was a choice: runc. */
  readonly isolation?: Isolation;
}

/** A sandbox as the store holds it. */
export interface SandboxRecord extends SandboxIdentity {
  readonly state: SandboxState;
  /** When a transitional state is to be settled by asking the node; absent in the others. */
  readonly stateDeadline?: Micros;
  readonly executionId: string;
  /** Counts executions, from 1; the higher wins wherever two are seen. */
  readonly generation: number;
  readonly nodeId: string;
  /** Start of the newest execution. */
  readonly startedAt: Micros;
  readonly metadata: LiveField<Metadata>;
  /** The value is the end of the sandbox's life; for a paused one, when it was paused. */
  readonly endTime: LiveField<Micros>;
  readonly egress: LiveField<EgressPolicy>;
  /** The epoch in which the record was last verified, or made: in any other one it takes no edit. */
  readonly epoch: Epoch;
  /** Whether every node has reported in that epoch; until then edits with a condition, and starts, wait. */
  readonly fullyVerified: boolean;
  /** The boot of the node's process that last confirmed; absent before the first confirmation. */
  readonly bootId?: string;
}

/** The revisions that a node holds of one execution's live fields. */
export interface AppliedRevisions {
  readonly metadata: Revision;
  readonly endTime: Revision;
  readonly egress: Revision;
}

/** A team that owns sandboxes. */
export interface Team {
  readonly teamId: string;
  readonly name: string;
  readonly maxConcurrentSandboxes: number;
  readonly limits?: TeamLimits;
}

/** A key of a team; only its SHA-256 is kept. */
export interface ApiKey {
  readonly apiKeyId: string;
  readonly teamId: string;
  readonly name: string;
}

/** A template as a node offers it. */
export interface NodeTemplate {
  readonly templateId: string;
  readonly aliases: readonly string[];
  readonly resources: SandboxResources;
  readonly envdVersion: string;
}

/** A node as it registers itself. */
export interface NodeRecord {
  readonly nodeId: string;
  /** New whenever the node's process starts. */
  readonly bootId: string;
  /** Base URL of its Connect services. */
  readonly address: string;
  /** host:port of the gateway into its sandboxes' networks. */
  readonly gatewayAddress: string;
  readonly version: string;
  /** What sandboxes get that ask for none. */
  readonly isolation: string;
  /** What sandboxes may ask for. */
  readonly isolations: readonly string[];
  readonly capacity: {
    readonly sandboxes: number;
    readonly cpuCount: number;
    readonly memoryBytes: number;
    /** What its sandboxes' memory limits may add up to; absent where the node does not say. */
    readonly sandboxMemoryBytes?: number;
  };
  readonly usage: {
    readonly sandboxes: number;
    readonly starting: number;
    /** What is in use of the whole machine; absent where the node does not say. */
    readonly memoryBytes?: number;
    /** What the memory limits of its sandboxes, starting ones among them, add up to. */
    readonly sandboxMemoryBytes?: number;
  };
  readonly templates: readonly NodeTemplate[];
  readonly pauseWithMemory: boolean;
  /** When its lease runs out, by the store's clock. */
  readonly leaseExpiresAt: Micros;
}
