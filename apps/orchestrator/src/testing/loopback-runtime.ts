import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CastellanError, type EgressPolicy } from "@castellan/domain";
import { boundAddress } from "@castellan/rpc";
import { daemonPort } from "../daemon/call.ts";
import type { NodeRuntime, Run, RunExit, RunSpec, RunUsage } from "../node-runtime.ts";

/** What goes wrong next, or takes long. */
export interface Faults {
  start?: Error;
  stop?: Error;
  egress?: Error;
  usage?: Error;
  startMs?: number;
  stopMs?: number;
  egressMs?: number;
  /** The daemon is not there at all for this long. */
  daemonAfterMs?: number;
  /** Status that `/init` answers with. */
  initStatus?: number;
}

/** A daemon's log as a test fills it. */
export interface LoopbackLog {
  boot: string;
  /** Sent as they are. */
  entries: unknown[];
  /** Paths that were asked for. */
  readonly asked: string[];
}

/** A sandbox of this runtime: a daemon on the test's own loopback. */
export interface LoopbackSandbox {
  readonly spec: RunSpec;
  egress: EgressPolicy;
  /** Bodies of `POST /init` with the right secret. */
  readonly inits: unknown[];
  /** What its daemon says when it is asked for its log, with the right secret. */
  log: LoopbackLog;
  /** Ports inside → ports of the test's own servers. */
  readonly ports: Map<number, number>;
  readonly daemon: Server;
}

/**
 * A runtime whose sandboxes are HTTP servers of this process, for tests of the protocol. They outlive an orchestrator,
 * as real ones do: pass the same runtime to the next one.
 */
export class LoopbackRuntime implements NodeRuntime {
  readonly running = new Map<string, LoopbackSandbox>();
  readonly faults: Faults = {};
  /** What every sandbox uses. */
  used: RunUsage = { cpuMicros: 0, memoryBytes: 1, cacheBytes: 2, diskUsedBytes: 3, diskTotalBytes: 4 };
  /** Execution ids in the order in which they were started and stopped. */
  readonly starts: string[] = [];
  readonly stops: string[] = [];
  /** Every policy that was asked for, failures among them. */
  readonly policies: EgressPolicy[] = [];
  readonly #listeners = new Set<(exit: RunExit) => void>();

  async start(spec: RunSpec, signal?: AbortSignal): Promise<Run> {
    this.starts.push(spec.executionId);
    if (this.faults.start !== undefined) throw this.faults.start;
    await sleep(this.faults.startMs ?? 0, undefined, { ...(signal === undefined ? {} : { signal }) });
    const ports = new Map<number, number>();
    const inits: unknown[] = [];
    const log: LoopbackLog = { boot: "boot1", entries: [], asked: [] };
    const daemon = createServer((request, response) => {
      if (request.url === "/health") return response.writeHead(204).end();
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => {
        const secret = (request.headers.authorization ?? "").replace("Bearer ", "");
        const hash = createHash("sha256").update(secret).digest("hex");
        if (request.url?.startsWith("/logs")) {
          if (hash !== spec.env["CASTELLAN_LOGS_SHA256"]) return response.writeHead(401).end();
          log.asked.push(request.url);
          return response.writeHead(200).end(JSON.stringify({ boot: log.boot, dropped: 0, entries: log.entries }));
        }
        if (hash !== spec.env["CASTELLAN_INIT_SHA256"]) return response.writeHead(401).end();
        if (this.faults.initStatus !== undefined) return response.writeHead(this.faults.initStatus).end("no");
        inits.push(JSON.parse(body));
        return response.writeHead(204).end();
      });
      return undefined;
    });
    daemon.listen(0, "127.0.0.1");
    await once(daemon, "listening");
    const address = boundAddress(daemon.address());
    setTimeout(() => ports.set(daemonPort, address.port), this.faults.daemonAfterMs ?? 0);
    this.running.set(spec.executionId, { spec, egress: spec.egress, inits, log, ports, daemon });
    return { sandboxId: spec.sandboxId, executionId: spec.executionId };
  }

  async stop(executionId: string): Promise<void> {
    await sleep(this.faults.stopMs ?? 0);
    if (this.faults.stop !== undefined) throw this.faults.stop;
    this.stops.push(executionId);
    this.#end(executionId);
  }

  async recover(): Promise<readonly Run[]> {
    return [...this.running.values()].map(({ spec: { sandboxId, executionId } }) => ({ sandboxId, executionId }));
  }

  async setEgress(executionId: string, policy: EgressPolicy): Promise<void> {
    this.policies.push(policy);
    await sleep(this.faults.egressMs ?? 0);
    if (this.faults.egress !== undefined) throw this.faults.egress;
    this.sandbox(executionId).egress = policy;
  }

  async usage(executionId: string): Promise<RunUsage> {
    this.sandbox(executionId);
    if (this.faults.usage !== undefined) throw this.faults.usage;
    return { ...this.used };
  }

  async connect(executionId: string, port: number, signal?: AbortSignal): Promise<Socket> {
    const sandbox = this.running.get(executionId);
    if (sandbox === undefined) throw new CastellanError("not_found", "gone");
    const own = sandbox.ports.get(port);
    if (own === undefined) throw new CastellanError("unavailable", `Nothing listens on port ${port}`);
    const socket = connectTcp({ port: own, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect", { ...(signal === undefined ? {} : { signal }) });
    return socket;
  }

  onExit(listener: (exit: RunExit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close({ stopAll }: { readonly stopAll: boolean }): Promise<void> {
    if (!stopAll) return;
    for (const executionId of [...this.running.keys()]) this.#end(executionId);
  }

  /** @throws Error when it does not run. */
  sandbox(executionId: string): LoopbackSandbox {
    const sandbox = this.running.get(executionId);
    if (sandbox === undefined) throw new Error(`${executionId} does not run`);
    return sandbox;
  }

  /** The sandbox's first process ends by itself. */
  exit(executionId: string, oomKilled = false): void {
    const { sandboxId } = this.sandbox(executionId).spec;
    this.#end(executionId);
    for (const listener of this.#listeners) listener({ sandboxId, executionId, oomKilled });
  }

  #end(executionId: string): void {
    const sandbox = this.running.get(executionId);
    this.running.delete(executionId);
    sandbox?.daemon.close();
    sandbox?.daemon.closeAllConnections();
  }
}
