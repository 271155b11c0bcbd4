import type { Socket } from "node:net";
import { availableParallelism } from "node:os";
import { CastellanError, type EgressPolicy, type Isolation } from "@castellan/domain";
import { clearExecution } from "./clear-execution.ts";
import { diskUsage, rootPaths } from "./disk/root-filesystem.ts";
import { type ExecutionRecord, writeRecord } from "./execution-record.ts";
import { giveUpOwnership, releasePrefix } from "./host/owner.ts";
import { isAlive } from "./host/process.ts";
import { egressRules } from "./network/egress.ts";
import { changeSandboxScript, removeNodeScript } from "./network/ruleset.ts";
import { admit, type NodeHost, prepareHost } from "./node-host.ts";
import { recoverExecutions } from "./recovery.ts";
import { describe, directoryOf, type HeldExecution, isolationOf, type RunningExecution } from "./running-execution.ts";
import type {
  Execution,
  ExecutionExit,
  ExecutionSpec,
  ExecutionUsage,
  RuntimeOptions,
  SandboxRuntime,
} from "./sandbox-runtime.ts";
import { Slots } from "./slots.ts";
import { checkOptions, checkSpec, effectivePolicy, isolationFor } from "./spec-rules.ts";
import { startExecution } from "./start-execution.ts";
import { Turns } from "./turns.ts";

/**
 * Prepares this host as a node: directories, firewall table, forwarding, cgroups. Call `recover` before anything else.
 * @throws `invalid_argument` for wrong options, `conflict` when another process owns the state directory.
 */
export async function createSandboxRuntime(options: RuntimeOptions): Promise<SandboxRuntime> {
  checkOptions(options);
  const slots = new Slots(options);
  return new OciRuntime(await prepareHost(options), slots);
}

/** How often an init is looked at, in milliseconds. */
const watchInterval = 200;

type Entry =
  | { phase: "starting"; abort: AbortController; settled: Promise<unknown> }
  | { phase: "running"; running: RunningExecution; exited: boolean }
  | { phase: "stopping"; settled: Promise<void> }
  /** Clearing failed; the slot stays taken until another `stop` succeeds. */
  | { phase: "stuck"; held: HeldExecution };

class OciRuntime implements SandboxRuntime {
  readonly #host: NodeHost;
  readonly #slots: Slots;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(exit: ExecutionExit) => void>();
  /** Per execution, the end of the last change of its egress rules. */
  readonly #egressChanges = new Map<string, Promise<void>>();
  /**
   * Connections into sandboxes, by execution. The network of a gVisor sandbox goes without a word to who is connected.
   */
  readonly #connections = new Map<string, Set<Socket>>();
  /** Starting more at once than there are processors makes all of them late and none earlier. */
  readonly #starts = new Turns(availableParallelism());
  readonly #watch: NodeJS.Timeout;
  #recovered = false;
  #closed = false;

  constructor(host: NodeHost, slots: Slots) {
    this.#host = host;
    this.#slots = slots;
    this.#watch = setInterval(() => this.#lookForExits(), watchInterval);
    this.#watch.unref();
  }

  async start(spec: ExecutionSpec, signal?: AbortSignal): Promise<Execution> {
    checkSpec(spec);
    const egress = effectivePolicy(spec);
    egressRules(egress);
    const isolation = isolationFor(spec, this.#host.options);
    if (!this.#recovered) throw new CastellanError("conflict", "Recovery comes before the first start");
    if (this.#closed) throw new CastellanError("unavailable", "The node is shutting down");
    if (signal?.aborted) throw new CastellanError("cancelled", "The start was given up");
    const { executionId } = spec;
    if (this.#entries.has(executionId)) {
      throw new CastellanError("conflict", `Execution ${executionId} was started already`);
    }
    const abort = new AbortController();
    const started = this.#start(
      spec,
      { egress, isolation },
      signal ? AbortSignal.any([signal, abort.signal]) : abort.signal,
    );
    this.#entries.set(executionId, { phase: "starting", abort, settled: started.catch(() => {}) });
    return describe(await started);
  }

  async #start(
    spec: ExecutionSpec,
    { egress, isolation }: { readonly egress: EgressPolicy; readonly isolation: Isolation },
    signal: AbortSignal,
  ): Promise<RunningExecution> {
    const { sandboxId, executionId } = spec;
    let held: HeldExecution | undefined;
    try {
      await admit(this.#host);
      const slot = this.#slots.take();
      const record: ExecutionRecord = {
        version: 1,
        sandboxId,
        executionId,
        slot: slot.number,
        startedAt: new Date().toISOString(),
        egress,
        daemonDirectory: this.#host.daemonDirectory,
        isolation,
      };
      const into = { record, slot, directory: directoryOf(this.#host, executionId) };
      held = into;
      const running = await this.#starts.run(() => startExecution(this.#host, spec, into, signal), signal);
      this.#entries.set(executionId, { phase: "running", running, exited: false });
      return running;
    } catch (error) {
      this.#host.options.logger.warn({ sandboxId, executionId, err: error }, "sandbox did not start");
      if (held === undefined) this.#entries.delete(executionId);
      else await this.#clear(held, undefined).catch(() => {});
      throw CastellanError.from(error, "The sandbox could not be started");
    }
  }

  async stop(executionId: string): Promise<void> {
    const entry = this.#entries.get(executionId);
    switch (entry?.phase) {
      case undefined:
        return;
      case "starting":
        entry.abort.abort();
        await entry.settled;
        return await this.stop(executionId);
      case "stopping":
        return await entry.settled;
      case "stuck":
        return await this.#clear(entry.held, undefined);
      case "running":
        return await this.#clear(entry.running, entry.running);
    }
  }

  /** Frees the execution and forgets it; on failure it is kept as stuck. */
  async #clear(held: HeldExecution, running: RunningExecution | undefined): Promise<void> {
    const { sandboxId, executionId } = held.record;
    const work = async () => {
      try {
        await this.#egressChanges.get(executionId);
        await running?.network.close();
        await clearExecution(this.#host, held, running?.init);
        this.#disconnect(executionId);
        this.#slots.release(held.slot);
        this.#entries.delete(executionId);
        this.#host.options.logger.debug({ sandboxId, executionId }, "sandbox cleared");
      } catch (cause) {
        this.#entries.set(executionId, { phase: "stuck", held });
        this.#host.options.logger.error({ sandboxId, executionId, err: cause }, "sandbox could not be cleared");
        throw new CastellanError("internal", "The sandbox could not be cleared away", { cause });
      }
    };
    const settled = Promise.resolve().then(work);
    this.#entries.set(executionId, { phase: "stopping", settled });
    await settled;
  }

  list(): Execution[] {
    return [...this.#entries.values()].flatMap((entry) =>
      entry.phase === "running" && !entry.exited ? [describe(entry.running)] : [],
    );
  }

  async recover(): Promise<Execution[]> {
    if (this.#recovered) throw new CastellanError("conflict", "Recovery is done once");
    const { running, stuck } = await recoverExecutions(this.#host, this.#slots);
    this.#recovered = true;
    for (const held of stuck) this.#entries.set(held.record.executionId, { phase: "stuck", held });
    for (const execution of running) {
      this.#entries.set(execution.record.executionId, { phase: "running", running: execution, exited: false });
    }
    return running.map(describe);
  }

  async setEgress(executionId: string, policy: EgressPolicy): Promise<void> {
    const rules = egressRules(policy);
    const before = this.#egressChanges.get(executionId) ?? Promise.resolve();
    const change = before.then(async () => {
      const { running } = this.#runningEntry(executionId);
      await this.#host.firewall.apply(changeSandboxScript(this.#host.network, running.slot, rules));
      this.#host.filter.allow(running.slot.address, rules.names);
      const { allowOut, denyOut } = policy;
      const record: ExecutionRecord = { ...running.record, egress: { allowOut, denyOut } };
      await this.#rememberPolicy(executionId, running, record);
    });
    const settled = change.catch(() => {});
    this.#egressChanges.set(executionId, settled);
    try {
      await change;
    } catch (error) {
      throw CastellanError.from(error, "The network rules could not be changed");
    } finally {
      if (this.#egressChanges.get(executionId) === settled) this.#egressChanges.delete(executionId);
    }
  }

  /** The record is what a later process restores the rules from: rules that it does not have are taken back. */
  async #rememberPolicy(executionId: string, running: RunningExecution, record: ExecutionRecord): Promise<void> {
    try {
      await writeRecord(running.directory, record);
    } catch (error) {
      const before = egressRules(running.record.egress);
      this.#host.filter.allow(running.slot.address, before.names);
      await this.#host.firewall.apply(changeSandboxScript(this.#host.network, running.slot, before));
      throw error;
    }
    const entry = this.#entries.get(executionId);
    if (entry?.phase === "running") entry.running = { ...entry.running, record };
  }

  async connect(executionId: string, port: number, signal?: AbortSignal): Promise<Socket> {
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new CastellanError("invalid_argument", "A port is an integer from 1 to 65535");
    }
    const { running } = this.#runningEntry(executionId);
    try {
      const { record, network, slot } = running;
      const engine = this.#host.engines[isolationOf(record)];
      const socket = await engine.connect({ executionId, network, address: slot.address }, port, signal);
      if (isAlive(running.init)) return this.#connected(executionId, socket);
      // Its address may be another sandbox's by now.
      socket.destroy();
      throw this.#gone(executionId);
    } catch (error) {
      // Everything refuses in a sandbox that has just ended.
      if (!isAlive(running.init)) throw this.#gone(executionId);
      throw CastellanError.from(error, "The connection could not be opened");
    }
  }

  #connected(executionId: string, socket: Socket): Socket {
    const open = this.#connections.get(executionId) ?? new Set();
    this.#connections.set(executionId, open.add(socket));
    socket.once("close", () => {
      open.delete(socket);
      if (open.size === 0 && this.#connections.get(executionId) === open) this.#connections.delete(executionId);
    });
    return socket;
  }

  #disconnect(executionId: string): void {
    for (const socket of this.#connections.get(executionId) ?? []) socket.destroy();
  }

  onExit(listener: (exit: ExecutionExit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async usage(executionId: string): Promise<ExecutionUsage> {
    const { running } = this.#runningEntry(executionId);
    const [cgroup, disk] = await Promise.all([
      this.#host.cgroups.usage(executionId),
      diskUsage(rootPaths(running.directory).disk),
    ]);
    // Between the look at the process and the look at its files it may have been stopped.
    if (cgroup === undefined || disk === undefined) throw this.#gone(executionId);
    return { ...cgroup, ...disk };
  }

  async oomKilled(executionId: string): Promise<boolean> {
    return (await this.#host.cgroups.oomKills(executionId)) > 0;
  }

  async close({ stopAll }: { readonly stopAll: boolean }): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    const entries = [...this.#entries];
    if (stopAll) {
      const stopped = await Promise.allSettled(entries.map(([executionId]) => this.stop(executionId)));
      const failures = stopped.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
      if (failures.length > 0) throw new AggregateError(failures, "some sandboxes could not be stopped");
      await this.#host.firewall.apply(removeNodeScript(this.#host.options.devicePrefix));
      await this.#host.cgroups.close();
      await releasePrefix(this.#host.options.devicePrefix);
    } else {
      // A start that is under way has nobody left to answer to.
      const unsettled = entries.filter(([, { phase }]) => phase === "starting" || phase === "stopping");
      await Promise.allSettled(unsettled.map(([executionId]) => this.stop(executionId)));
      for (const [, entry] of this.#entries) if (entry.phase === "running") await entry.running.network.close();
    }
    this.#entries.clear();
    await this.#host.filter.close();
    await giveUpOwnership(this.#host.options.stateDir);
  }

  #runningEntry(executionId: string) {
    const entry = this.#entries.get(executionId);
    if (entry?.phase !== "running" || entry.exited || !isAlive(entry.running.init)) throw this.#gone(executionId);
    return entry;
  }

  #gone(executionId: string): CastellanError {
    return new CastellanError("not_found", `Execution ${executionId} is not running`);
  }

  #lookForExits(): void {
    for (const entry of this.#entries.values()) {
      if (entry.phase !== "running" || entry.exited || isAlive(entry.running.init)) continue;
      entry.exited = true;
      this.#disconnect(entry.running.record.executionId);
      void this.#announceExit(entry.running.record);
    }
  }

  async #announceExit({ sandboxId, executionId }: ExecutionRecord): Promise<void> {
    const oomKilled = await this.oomKilled(executionId);
    this.#host.options.logger.info({ sandboxId, executionId, oomKilled }, "sandbox ended by itself");
    for (const listener of this.#listeners) listener({ sandboxId, executionId, oomKilled });
  }
}
