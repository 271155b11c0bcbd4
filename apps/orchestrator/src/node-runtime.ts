import type { Socket } from "node:net";
import type { EgressPolicy, Isolation, SandboxResources } from "@castellan/domain";

/** What a node needs of the runtime below it. `SandboxRuntime` of `@castellan/runtime` is one. */
export interface NodeRuntime {
  /**
   * Starts a sandbox; resolves when its init runs, which is before the daemon listens. A failure or an abort leaves
   * nothing behind.
   */
  start(spec: RunSpec, signal?: AbortSignal): Promise<Run>;
  /** Kills and frees everything of the execution. Unknown ids are already stopped. */
  stop(executionId: string): Promise<void>;
  /** Called once, before anything else: what still runs of an earlier process. */
  recover(): Promise<readonly Run[]>;
  /** Replaces the egress rules as one transaction; after a rejection the old ones are in force. */
  setEgress(executionId: string, policy: EgressPolicy): Promise<void>;
  /** What it uses now. @throws `not_found` when the execution is gone. */
  usage(executionId: string): Promise<RunUsage>;
  /**
   * Opens a TCP connection inside the sandbox.
   * @throws `not_found` when the execution is gone, `unavailable` when nothing listens on the port.
   */
  connect(executionId: string, port: number, signal?: AbortSignal): Promise<Socket>;
  /** Calls the listener once per execution whose init ended without `stop`; what it used is still held until `stop`. */
  onExit(listener: (exit: RunExit) => void): () => void;
  /** Ends the runtime's own work; `stopAll` ends the sandboxes too. */
  close(options: { readonly stopAll: boolean }): Promise<void>;
}

export interface RunSpec {
  readonly sandboxId: string;
  readonly executionId: string;
  /** Absolute path of the template's root file system. */
  readonly rootfs: string;
  readonly resources: SandboxResources;
  readonly hostname: string;
  readonly egress: EgressPolicy;
  readonly allowInternet: boolean;
  /** Default: the runtime's. */
  readonly isolation?: Isolation;
  /** For the daemon alone. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Run {
  readonly sandboxId: string;
  readonly executionId: string;
}

/** Bytes where the name says so. */
export interface RunUsage {
  /** Processor time since it was started or restored, in microseconds. */
  readonly cpuMicros: number;
  /** Without what the kernel could give back at once, which is `cacheBytes`. */
  readonly memoryBytes: number;
  readonly cacheBytes: number;
  readonly memoryLimitBytes?: number;
  readonly diskUsedBytes: number;
  readonly diskTotalBytes: number;
}

export interface RunExit extends Run {
  /** Whether the kernel killed anything in it for lack of memory. */
  readonly oomKilled: boolean;
}
