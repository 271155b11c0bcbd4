import type { SandboxManifest } from "@castellan/contracts/sandbox";
import { CastellanError, type Epoch } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import type { SandboxCounts } from "../node-description.ts";
import type { NodeRuntime, RunExit } from "../node-runtime.ts";
import type { Timing } from "../options.ts";
import type { Journal } from "../state/journal.ts";
import type { ManifestFiles } from "../state/manifest-files.ts";
import type { HeldSandbox } from "../state/node-state.ts";
import type { DeletionCauseName } from "../state/records.ts";
import type { TemplateSource } from "../template-source.ts";
import { recoverExecutions } from "./adoption.ts";
import { applyUpdate, type UpdateResult } from "./apply-update.ts";
import { Execution } from "./execution.ts";
import type { LiveUpdate, StartOrder } from "./messages.ts";
import { Serial } from "./serial.ts";
import { startExecution } from "./start-execution.ts";
import { type ExecutionWatcher, nobodyWatches } from "./watcher.ts";

export interface SandboxParts {
  readonly journal: Journal;
  readonly manifests: ManifestFiles;
  readonly runtime: NodeRuntime;
  readonly templates: TemplateSource;
  readonly logger: Logger;
  readonly timing: Timing;
  /** The most executions that start or run at once. */
  readonly maxSandboxes: number;
  /** What the memory limits of those may add up to, in bytes. */
  readonly maxMemoryBytes: number;
  /** Whether the control plane has been silent for longer than the lease. */
  readonly controlPlaneAway: () => boolean;
  readonly watcher?: ExecutionWatcher;
}

/** The sandboxes of this node: what starts, runs and ends here. */
export class NodeSandboxes {
  readonly #parts: SandboxParts;
  readonly #executions = new Map<string, Execution>();
  /** Starts and live edits of one sandbox, one after the other. */
  readonly #serial = new Serial();
  /** Refused from the moment at which "absent" is decided, which is before it is written. */
  readonly #promised = new Set<string>();
  readonly #onEnding: (execution: Execution) => void;
  readonly #watcher: ExecutionWatcher;
  readonly #closing = new AbortController();
  #unsubscribe: (() => void) | undefined;

  /** `onEnding` is called when an execution begins to end: from then on nothing may reach it. */
  constructor(parts: SandboxParts, onEnding: (execution: Execution) => void) {
    this.#parts = parts;
    this.#onEnding = onEnding;
    this.#watcher = parts.watcher ?? nobodyWatches;
  }

  /** Takes over what an earlier process of this node left. Called once, before anything else. */
  async adopt(): Promise<void> {
    // One may end between being recovered and being known here.
    const early: RunExit[] = [];
    const stopCollecting = this.#parts.runtime.onExit((exit) => early.push(exit));
    for (const { manifest, daemonSecret, generation, deadline } of await recoverExecutions(this.#parts)) {
      const execution = this.#newExecution(manifest, generation, "running");
      execution.deadline = deadline;
      execution.daemonSecret = daemonSecret;
      execution.logger.info({ generation }, "sandbox adopted");
      this.#watcher.began(execution, "adopted");
    }
    stopCollecting();
    this.#unsubscribe = this.#parts.runtime.onExit((exit) => this.#exited(exit));
    for (const exit of early) this.#exited(exit);
  }

  /**
   * Starts an execution, or joins the start of the same one. Resolves when it is visible, with what the node holds.
   * When every caller has gone before that, the start is given up.
   * @throws `conflict` when the execution has ended or was refused, or another of the same or a higher generation is
   * known; `quota_exceeded` when the node is full; `not_found` for the template; `deadline_exceeded`; `cancelled`.
   */
  async create(epoch: Epoch, order: StartOrder, signal: AbortSignal): Promise<HeldSandbox> {
    const execution = this.#executions.get(order.executionId) ?? this.#begin(epoch, order);
    if (execution.sandboxId !== order.sandboxId) throw otherSandbox(order.executionId);
    if (execution.phase === "ending") {
      throw new CastellanError("conflict", `Execution ${order.executionId} is being ended`);
    }
    await this.#join(execution, signal);
    // A second delivery may bring newer seeds; for the first this changes nothing.
    const { sandboxId, executionId, seeds } = order;
    const { outcome, held, message } = await this.update({ epoch, sandboxId, executionId, fields: seeds });
    if (outcome !== "held") throw new CastellanError("conflict", message);
    return held;
  }

  /** Applies all newer fields or none. Never throws: what went wrong is in the outcome. */
  async update(update: LiveUpdate): Promise<UpdateResult> {
    return applyUpdate(this.#parts, this.#serial, update, () => this.current(update.sandboxId));
  }

  /**
   * Ends an execution. `false` when there is none, and then by promise there never will be.
   * @throws `internal` when it could not be stopped.
   */
  async delete(sandboxId: string, executionId: string): Promise<boolean> {
    const execution = this.#executions.get(executionId);
    if (execution !== undefined) {
      if (execution.sandboxId !== sandboxId) throw otherSandbox(executionId);
      await this.#end(execution, "requested");
      return true;
    }
    const { journal } = this.#parts;
    if (journal.state.hasDeleted(executionId)) return true;
    if (!journal.state.refuses(executionId)) {
      this.#promised.add(executionId);
      await journal.record({ kind: "refused", executionId, at: Date.now() });
      this.#promised.delete(executionId);
    }
    return false;
  }

  /** The store has taken note of the deletions up to this sequence; they need not be told again. */
  async acknowledgeDeletions(to: number): Promise<void> {
    const { journal } = this.#parts;
    for (const { sequence } of journal.state.deletions) {
      if (sequence <= to) return journal.record({ kind: "acknowledged", to });
    }
  }

  /** The executions that may be seen, those that are being ended among them. */
  *visible(): Iterable<Execution> {
    for (const execution of this.#executions.values()) {
      if (execution.seeded) yield execution;
    }
  }

  /** The visible execution of a sandbox; of several the one of the highest generation. */
  current(sandboxId: string): Execution | undefined {
    const ids = this.#parts.journal.state.held(sandboxId).executions.keys();
    let newest: Execution | undefined;
    for (const id of ids) {
      const execution = this.#executions.get(id);
      if (execution === undefined || !execution.seeded) continue;
      if (newest === undefined || execution.generation > newest.generation) newest = execution;
    }
    return newest;
  }

  /**
   * The execution that a sandbox's traffic goes to: the named one, or the current one where none is named. `undefined`
   * when it does not run.
   */
  reachable(sandboxId: string, executionId?: string): Execution | undefined {
    const execution = executionId === undefined ? this.current(sandboxId) : this.#executions.get(executionId);
    return execution?.phase === "running" && execution.sandboxId === sandboxId ? execution : undefined;
  }

  /** How many start, how many are visible, and what the memory limits of both add up to. */
  counts(): SandboxCounts {
    let starting = 0;
    let memoryBytes = 0;
    for (const { seeded, manifest } of this.#executions.values()) {
      if (!seeded) starting += 1;
      memoryBytes += (manifest.resources?.memoryMb ?? 0) * mib;
    }
    return { starting, sandboxes: this.#executions.size - starting, memoryBytes };
  }

  /** Gives starts up, and ends the others where told to. Idempotent. */
  async close(options: { readonly stopSandboxes: boolean }): Promise<void> {
    this.#closing.abort(new CastellanError("unavailable", "The node is shutting down"));
    this.#unsubscribe?.();
    const toEnd = [...this.#executions.values()].filter(
      ({ phase }) => options.stopSandboxes || phase === "starting" || phase === "ending",
    );
    for (const execution of this.#executions.values()) execution.stopClock();
    const worker = async () => {
      for (let execution = toEnd.pop(); execution !== undefined; execution = toEnd.pop()) {
        const cause = execution.phase === "starting" ? "start_failed" : "shutdown";
        await this.#end(execution, cause).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: endsAtOnce }, worker));
  }

  #begin(epoch: Epoch, order: StartOrder): Execution {
    const { journal, maxSandboxes, maxMemoryBytes } = this.#parts;
    const { sandboxId, executionId, generation } = order;
    this.#closing.signal.throwIfAborted();
    if (this.#promised.has(executionId) || journal.state.refuses(executionId)) {
      throw new CastellanError("conflict", `Execution ${executionId} has ended or was refused on this node`);
    }
    this.#checkGeneration(sandboxId, generation);
    if (this.#executions.size >= maxSandboxes) {
      throw new CastellanError("quota_exceeded", `The node is full: it runs at most ${maxSandboxes} sandboxes`);
    }
    if (this.counts().memoryBytes + order.resources.memoryMb * mib > maxMemoryBytes) {
      throw new CastellanError("quota_exceeded", "The node is full: its sandboxes may use no more memory");
    }
    const execution = this.#newExecution(order.manifest, generation, "starting");
    execution.started = startExecution(this.#parts, this.#serial, execution, { epoch, order }).then(() =>
      this.#watcher.began(execution, "started"),
    );
    // Nobody may be waiting any more when it fails.
    execution.started.catch((error: unknown) => {
      execution.logger.warn({ err: error }, "sandbox start failed");
      this.#endUnasked(execution, "start_failed");
    });
    return execution;
  }

  /** Waits for the start. Its failure is told once nothing is left of it. */
  async #join(execution: Execution, signal: AbortSignal): Promise<void> {
    if (execution.phase === "running") return;
    execution.startWaiters += 1;
    try {
      await settledOrAborted(execution.started, signal);
    } catch (error) {
      if (!signal.aborted) await this.#end(execution, "start_failed").catch(() => undefined);
      throw error;
    } finally {
      execution.startWaiters -= 1;
      if (execution.startWaiters === 0 && signal.aborted) {
        execution.startAbort.abort(new CastellanError("cancelled", "Nobody waits for the start any more"));
      }
    }
  }

  /** Concurrent calls share one attempt and its cause. One that fails is made again later, whoever asked for it. */
  #end(execution: Execution, cause: DeletionCauseName): Promise<void> {
    execution.endCause ??= cause;
    execution.ending ??= this.#endOnce(execution, execution.endCause).catch((error: unknown) => {
      execution.logger.error({ err: error }, "cannot end the sandbox");
      execution.ending = undefined;
      if (!this.#closing.signal.aborted) execution.checkAgainAt(performance.now() + endRetryMs);
      throw CastellanError.from(error, "The sandbox could not be ended");
    });
    return execution.ending;
  }

  /** For ends that nobody waits for. */
  #endUnasked(execution: Execution, cause: DeletionCauseName): void {
    this.#end(execution, cause).catch(() => undefined);
  }

  async #endOnce(execution: Execution, cause: DeletionCauseName): Promise<void> {
    const { journal, manifests, runtime } = this.#parts;
    const { sandboxId, executionId } = execution;
    execution.phase = "ending";
    execution.stopClock();
    execution.startAbort.abort(new CastellanError("cancelled", "The sandbox was ended while it was starting"));
    this.#onEnding(execution);
    await execution.started.catch(() => undefined);
    if (execution.seeded) await this.#watcher.ending(execution);
    await runtime.stop(executionId);
    const sequence = journal.state.takeSequence();
    await journal.record({ kind: "deleted", sandboxId, executionId, sequence, cause, at: Date.now() });
    this.#executions.delete(executionId);
    // After the record: a manifest that is left over is known to be one.
    await manifests.remove(executionId);
    execution.logger.info({ cause }, "sandbox ended");
    if (execution.seeded) this.#watcher.ended(execution, cause);
  }

  #exited({ executionId, oomKilled }: RunExit): void {
    const execution = this.#executions.get(executionId);
    if (execution === undefined || execution.phase === "ending") return;
    execution.logger.warn({ oomKilled }, "the sandbox's first process ended");
    if (execution.seeded) this.#watcher.exited(execution, oomKilled);
    if (execution.phase === "starting") {
      const why = oomKilled ? "ran out of memory" : "ended";
      execution.startAbort.abort(new CastellanError("internal", `The sandbox ${why} while it was starting`));
    } else {
      this.#endUnasked(execution, "exited");
    }
  }

  #due(execution: Execution): void {
    if (execution.phase === "ending") this.#endUnasked(execution, "requested");
    if (execution.phase !== "running") return;
    const { endGraceMs, endBackstopMs } = this.#parts.timing;
    const now = performance.now();
    const late = now - execution.deadline;
    if (late >= endBackstopMs || (late >= endGraceMs && this.#parts.controlPlaneAway())) {
      execution.logger.info({ lateMs: Math.round(late) }, "the sandbox's time is over");
      this.#endUnasked(execution, "expired");
    } else {
      const next = late < endGraceMs ? execution.deadline + endGraceMs : now + endCheckMs;
      execution.checkAgainAt(Math.min(next, execution.deadline + endBackstopMs));
    }
  }

  #newExecution(manifest: SandboxManifest, generation: number, phase: "starting" | "running"): Execution {
    const onDue = (execution: Execution) => this.#due(execution);
    const execution = new Execution({ manifest, generation, phase, logger: this.#parts.logger, onDue });
    this.#executions.set(execution.executionId, execution);
    return execution;
  }

  #checkGeneration(sandboxId: string, generation: number): void {
    const seen = this.#parts.journal.state.held(sandboxId).generation;
    const lives = [...this.#executions.values()].some(
      (execution) => execution.sandboxId === sandboxId && execution.generation >= generation,
    );
    if (generation < seen || lives) {
      throw new CastellanError("conflict", `The node knows a newer generation of ${sandboxId} than ${generation}`);
    }
  }
}

const mib = 1024 * 1024;
const endsAtOnce = 8;
const endRetryMs = 5_000;
const endCheckMs = 1_000;

function otherSandbox(executionId: string): CastellanError {
  return new CastellanError("invalid_argument", `Execution ${executionId} belongs to another sandbox`);
}

/** What the promise settles to, unless the signal is aborted first; the promise goes on then. */
function settledOrAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(CastellanError.from(signal.reason, "The caller went away"));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
