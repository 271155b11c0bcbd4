import type { Socket } from "node:net";
import type { EgressPolicy, Isolation, SandboxResources } from "@castellan/domain";
import type { RuntimeLogger } from "./logger.ts";

/** How one node runs its sandboxes. Two nodes on one machine differ in state directory, prefix, subnet and id range. */
export interface RuntimeOptions {
  /** Absolute path, owned by one node process at a time. Created with mode 0711: a sandbox's root crosses it by name. */
  readonly stateDir: string;
  /** 1 to 4 characters of `a-z0-9`, unique per node on a machine: interfaces, nft table and cgroups carry it. */
  readonly devicePrefix: string;
  /** IPv4 block, /8 to /30, that is divided into pairs of addresses, one pair per sandbox. */
  readonly subnet: string;
  /** First host id of this node's ranges, at least 65536; every slot takes the next 65536. */
  readonly uidBase: number;
  /** Absolute host paths of what runs inside, shown read-only at `/.castellan`. */
  readonly daemon: {
    readonly nodeBinary: string;
    /** One bundled ESM file. Native modules in its directory (`*.node`) are there for it inside, too. */
    readonly bundle: string;
    /** A static init that reaps orphans, tini. */
    readonly init: string;
  };
  /** IPv4 resolvers for the sandboxes. Default: the host's own, see `hostNameservers`. */
  readonly nameservers?: readonly string[];
  /** CIDR blocks that no policy opens, on top of the ranges that a policy must name. Default: none. */
  readonly forbiddenOut?: readonly string[];
  /** What starts may ask for, the default first; what runs already is adopted whatever it is. Default: runc alone. */
  readonly isolations?: readonly Isolation[];
  /** The runsc that starts sandboxes with `gvisor`. Default: the one on the PATH of system programs. */
  readonly runsc?: string;
  /** MiB that must stay free below `stateDir` for a start to be admitted. Default 1024. */
  readonly minimumFreeMb?: number;
  readonly logger: RuntimeLogger;
}

export interface ExecutionResources extends SandboxResources {
  /** Processes and threads. Default 1024. */
  readonly pids?: number;
}

/** One run of a sandbox. */
export interface ExecutionSpec {
  /** `[a-z0-9-]`, at most 64 characters. */
  readonly sandboxId: string;
  /** `[a-z0-9-]`, at most 64 characters; the name of everything that the run leaves on the host. */
  readonly executionId: string;
  /** Absolute path of the template's root file system, owned by ids 0 to 65535; only read. */
  readonly rootfs: string;
  readonly resources: ExecutionResources;
  readonly hostname: string;
  readonly egress: EgressPolicy;
  /** `false` means the same as `0.0.0.0/0` in `denyOut`. */
  readonly allowInternet: boolean;
  /** Default: the first of the node's. */
  readonly isolation?: Isolation;
  /** For the daemon alone. Root inside the sandbox can read it. */
  readonly env: Readonly<Record<string, string>>;
}

/** A run that was started and has not been stopped. */
export interface Execution {
  readonly sandboxId: string;
  readonly executionId: string;
  /** Of its init, as the host sees it. */
  readonly pid: number;
  readonly slot: number;
  /** IPv4 address of the sandbox; reachable from the host only. */
  readonly address: string;
  readonly isolation: Isolation;
  readonly startedAt: Date;
}

/** An init that ended by itself; what it used is still held until `stop`. */
export interface ExecutionExit {
  readonly sandboxId: string;
  readonly executionId: string;
  /** Whether the kernel killed anything in it for lack of memory. */
  readonly oomKilled: boolean;
}

/** What a run uses at one moment. */
export interface ExecutionUsage {
  /** Processor time of all its processes since they were started or restored, in microseconds. */
  readonly cpuMicros: number;
  /** Memory that the kernel could not give back at once, in bytes. */
  readonly memoryBytes: number;
  /** Files that the kernel keeps in memory for it and would drop first, in bytes. Not part of `memoryBytes`. */
  readonly cacheBytes: number;
  /** Absent where nothing limits it. */
  readonly memoryLimitBytes?: number;
  /** Of its own file system, the writable layer, in bytes. */
  readonly diskUsedBytes: number;
  readonly diskTotalBytes: number;
}

/** Runs sandboxes on this host. Everything it changes on the host belongs to it and is recognised by name. */
export interface SandboxRuntime {
  /**
   * Starts a sandbox; resolves when its init runs, which is before the daemon listens. A failure or an abort leaves
   * nothing behind.
   * @throws `invalid_argument` for a wrong spec, `conflict` when the execution id is in use or nothing was recovered yet, `unavailable` when the node
   * has no slot, too little disk or not the isolation asked for, `cancelled` on abort, `internal` otherwise.
   */
  start(spec: ExecutionSpec, signal?: AbortSignal): Promise<Execution>;
  /** Kills and frees everything of the execution. Unknown ids are already stopped. */
  stop(executionId: string): Promise<void>;
  /** What runs now, in no order. */
  list(): Execution[];
  /**
   * To be called once, before anything else: takes over the executions that still run and clears what an earlier
   * process of this node left of the others.
   */
  recover(): Promise<Execution[]>;
  /**
   * Replaces the egress rules as one transaction; new rules also bind open connections. The policy is the whole truth:
   * who wants no internet puts `0.0.0.0/0` into `denyOut`.
   * @throws `invalid_argument`, `not_found`; then the old policy is still in force.
   */
  setEgress(executionId: string, policy: EgressPolicy): Promise<void>;
  /**
   * Opens a TCP connection inside the sandbox, so that servers on its loopback answer too. With `gvisor` a connection to
   * a server on the loopback alone ends in both directions as soon as one side has finished sending.
   * @throws `not_found` when the execution is gone, `unavailable` when nothing listens on the port,
   * `deadline_exceeded` after 5 s, `cancelled` on abort, `invalid_argument` for a port outside 1 to 65535.
   */
  connect(executionId: string, port: number, signal?: AbortSignal): Promise<Socket>;
  /** Calls the listener once per execution whose init ends without `stop`, within about a quarter of a second. */
  onExit(listener: (exit: ExecutionExit) => void): () => void;
  /** What it uses now. @throws `not_found` when it is gone. */
  usage(executionId: string): Promise<ExecutionUsage>;
  /** Whether the kernel has killed anything in it for lack of memory. `false` for unknown ids. */
  oomKilled(executionId: string): Promise<boolean>;
  /** Ends the runtime's own work. `stopAll` ends the sandboxes too and takes the node's table and cgroups away. */
  close(options: { readonly stopAll: boolean }): Promise<void>;
}
