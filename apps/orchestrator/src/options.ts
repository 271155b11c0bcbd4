import type { Failpoints, Isolation } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import type { NodeRuntime } from "./node-runtime.ts";
import type { TemplateSource } from "./template-source.ts";

export interface OrchestratorOptions {
  /** Stable over restarts, unique in the cluster: 1 to 64 of `a-zA-Z0-9._-`. */
  readonly nodeId: string;
  /** Absolute path for the node's own state, created with mode 0700; one process at a time. */
  readonly stateDir: string;
  /** Shared by control plane, proxies and nodes; at least 16 characters. */
  readonly clusterToken: string;
  /** Owned by the orchestrator from `listen` on: it recovers and closes it. */
  readonly runtime: NodeRuntime;
  readonly templates: TemplateSource;
  /**
   * Base URLs of the control plane's processes (h2c). They share one store, so registering with any one is enough; the
   * others are tried when it fails. Empty: the node stands alone and acts on end times by itself.
   */
  readonly controlPlaneUrls: readonly string[];
  /** Where the Connect services listen. Default 127.0.0.1, any free port. */
  readonly rpc?: ListenAddress;
  /** Where the gateway into the sandboxes listens. Default 127.0.0.1, any free port. */
  readonly gateway?: ListenAddress;
  readonly capacity?: CapacityOptions;
  readonly timing?: Partial<Timing>;
  /** What sandboxes may have, the default first, as told to the control plane. Default: runc alone. */
  readonly isolations?: readonly Isolation[];
  /** Where a test steps in. */
  readonly failpoints?: Failpoints;
  /** Version of this software, as told to the control plane. Default `0.1.0`. */
  readonly version?: string;
  readonly logger: Logger;
}

export interface ListenAddress {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** What others use to reach it: a host, or host and port. Default: what is listened on. */
  readonly advertise?: string;
}

export interface CapacityOptions {
  /** The most sandboxes that run or start at once; a start above it is refused. Default 256. */
  readonly sandboxes?: number;
  /** Default: the machine's processors. */
  readonly cpuCount?: number;
  /** Default: the machine's memory. */
  readonly memoryBytes?: number;
  /**
   * How many times `memoryBytes` the memory limits of the sandboxes may add up to; a start above it is refused. Most
   * sandboxes use a small part of their limit. 1 keeps every limit in memory that is there. Default 16.
   */
  readonly memoryOvercommit?: number;
  /** Default: the size of the file system that holds `stateDir`. */
  readonly diskBytes?: number;
}

/** All in milliseconds. */
export interface Timing {
  /** The longest a start may take, whatever the caller allows. */
  readonly startMs: number;
  /** For one call to the control plane. */
  readonly registerCallMs: number;
  /** Between failed registrations: the first pause, doubled up to the second. */
  readonly registerBackoffMs: number;
  readonly registerBackoffMaxMs: number;
  /** How long after a sandbox's end the node acts when the control plane is away. */
  readonly endGraceMs: number;
  /** How long after a sandbox's end the node acts although the control plane is there. */
  readonly endBackstopMs: number;
  /** For opening a connection inside a sandbox. */
  readonly gatewayConnectMs: number;
  /** Connections that show no sign of life this long after a PING are dropped. */
  readonly pingMs: number;
  /** Between two measurements of one sandbox. */
  readonly sampleMs: number;
  /** From a sandbox's start to its first measurement. */
  readonly firstSampleMs: number;
  /** Between two looks at what a sandbox's daemon has to say, apart from those for readers. */
  readonly collectLogsMs: number;
}

export const defaultTiming: Timing = {
  startMs: 20_000,
  registerCallMs: 5_000,
  registerBackoffMs: 250,
  registerBackoffMaxMs: 5_000,
  endGraceMs: 2_000,
  endBackstopMs: 30_000,
  gatewayConnectMs: 2_000,
  pingMs: 20_000,
  sampleMs: 5_000,
  firstSampleMs: 1_000,
  collectLogsMs: 15_000,
};
