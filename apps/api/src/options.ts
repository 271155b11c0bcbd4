import type { Failpoints, TemplateLimits } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import type { StreamLimits } from "./events/streams.ts";
import type { DeliverySettings } from "./webhooks/delivery.ts";

export interface ControlPlaneOptions {
  /** Stays its opener's: closing the control plane does not close it. */
  readonly store: SandboxStore;
  /** What nodes and control plane show each other; at least 16 characters. */
  readonly clusterToken: string;
  /** `<port>-<sandboxId>.<domain>` reaches a port of a sandbox; may hold a port. For example `localhost:3000`. */
  readonly domain: string;
  readonly logger: Logger;
  readonly limits?: Partial<Limits>;
  /** What is said about templates on top of what they say themselves, by id or alias. Default: nothing. */
  readonly templateLimits?: Readonly<Record<string, TemplateLimits>>;
  readonly timing?: Partial<Timing>;
  readonly eventStreams?: Partial<StreamLimits>;
  readonly webhooks?: Partial<DeliverySettings> & {
    /** Blocks of addresses, as CIDR, that webhooks may lead to although they are private or internal. Default: none. */
    readonly allow?: readonly string[];
  };
  /**
   * `off` answers an edit as soon as it is committed and never tells the nodes. For measuring what the push costs;
   * anything else loses the guarantee that this service is for. Default `on`.
   */
  readonly push?: "on" | "off";
  /** Where a test steps in. */
  readonly failpoints?: Failpoints;
  /** Version of this software, as `/health` tells it. Default `0.1.0`. */
  readonly version?: string;
}

export interface Limits {
  /** The longest life that a request may ask for, in seconds. Default 24 h. */
  readonly maxTimeoutSeconds: number;
  /** Sandboxes in the one answer of `GET /sandboxes`. Default 10,000. */
  readonly maxListed: number;
  /** Nodes that a create is tried on. Default 3. */
  readonly maxPlacements: number;
}

/** All in milliseconds. */
export interface Timing {
  /** How long a node's lease lasts without a new registration. */
  readonly leaseMs: number;
  /** For a node to start a sandbox, per attempt. */
  readonly startMs: number;
  /** How long a create goes on over all its attempts. */
  readonly createMs: number;
  /** For any other call to a node. */
  readonly callMs: number;
  /** How long an edit waits for its node before it is answered with 202. */
  readonly confirmMs: number;
  /** How long a node may leave an update on the stream unanswered before the stream is given up. */
  readonly streamAnswerMs: number;
  /** How long a transitional state may last before it is settled by asking the node. */
  readonly settleMs: number;
  /** Between two looks for sandboxes whose time has ended. */
  readonly evictEveryMs: number;
  /** Between two Lists of one node. */
  readonly reconcileEveryMs: number;
  /** Between two looks for edits that a node does not know. */
  readonly repushEveryMs: number;
  /** Between two looks for states past their deadline. */
  readonly overdueEveryMs: number;
  /** Between two looks at the nodes' leases. */
  readonly nodesEveryMs: number;
  /** Between two looks for new events, for those who follow them. */
  readonly eventsEveryMs: number;
}

export const defaultLimits: Limits = {
  maxTimeoutSeconds: 24 * 60 * 60,
  maxListed: 10_000,
  maxPlacements: 3,
};

export const defaultTiming: Timing = {
  leaseMs: 10_000,
  startMs: 25_000,
  createMs: 50_000,
  callMs: 5_000,
  confirmMs: 2_000,
  streamAnswerMs: 5_000,
  settleMs: 60_000,
  evictEveryMs: 250,
  reconcileEveryMs: 2_000,
  repushEveryMs: 500,
  overdueEveryMs: 1_000,
  nodesEveryMs: 1_000,
  eventsEveryMs: 200,
};
