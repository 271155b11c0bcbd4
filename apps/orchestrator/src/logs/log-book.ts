import { hasCode } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import { daemonPort } from "../daemon/call.ts";
import { readDaemonLog } from "../daemon/read-log.ts";
import type { NodeRuntime } from "../node-runtime.ts";
import type { Execution } from "../sandboxes/execution.ts";
import type { ExecutionWatcher } from "../sandboxes/watcher.ts";
import type { DeletionCauseName } from "../state/records.ts";
import type { LogEntry, LogLevel } from "./entry.ts";
import type { LogFiles, LogQuery } from "./log-files.ts";

export interface LogBookOptions {
  readonly files: LogFiles;
  readonly runtime: Pick<NodeRuntime, "connect">;
  /** Milliseconds between two looks at what a daemon has said. */
  readonly collectMs: number;
  readonly logger: Logger;
}

interface Followed {
  readonly execution: Execution;
  timer: NodeJS.Timeout | undefined;
  /** The look that goes on. */
  collecting: Promise<void> | undefined;
}

/**
 * Keeps in writing what the node and the daemons say about sandboxes. A daemon keeps its newest lines in its memory; they
 * are fetched now and then, whenever somebody reads, and before the sandbox is ended.
 */
export class LogBook implements ExecutionWatcher {
  readonly #options: LogBookOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #closing = new AbortController();
  readonly #pruning: NodeJS.Timeout;

  constructor(options: LogBookOptions) {
    this.#options = options;
    this.#pruning = setInterval(() => void this.#prune(), pruneMs);
    this.#pruning.unref();
  }

  began(execution: Execution, how: "started" | "adopted"): void {
    const followed: Followed = { execution, timer: undefined, collecting: undefined };
    this.#followed.set(execution.executionId, followed);
    const { templateId, resources } = execution.manifest;
    if (how === "adopted") {
      this.#say(execution, "info", "The node's process was restarted; the sandbox went on", { event_type: "adopted" });
    } else {
      this.#say(execution, "info", "Sandbox started", {
        event_type: "sandbox_start",
        template_id: templateId,
        cpu_count: String(resources?.cpuCount ?? ""),
        memory_mb: String(resources?.memoryMb ?? ""),
        disk_mb: String(resources?.diskMb ?? ""),
      });
    }
    this.#schedule(followed);
  }

  exited(execution: Execution, oomKilled: boolean): void {
    const message = oomKilled ? "The sandbox ran out of memory and ended" : "The sandbox's first process ended";
    this.#say(execution, "error", message, { event_type: "sandbox_exit", oom_killed: String(oomKilled) });
  }

  async ending(execution: Execution): Promise<void> {
    const followed = this.#followed.get(execution.executionId);
    if (followed === undefined) return;
    clearTimeout(followed.timer);
    this.#followed.delete(execution.executionId);
    await followed.collecting;
    await this.#collect(execution, AbortSignal.timeout(lastLookMs));
  }

  ended(execution: Execution, cause: DeletionCauseName): void {
    this.#say(execution, "info", `Sandbox ended: ${causes[cause]}`, { event_type: "sandbox_end", cause });
  }

  /** What the daemon has said until now is in it. `undefined` when nothing is kept of such a sandbox of this team. */
  async read(query: LogQuery): Promise<LogEntry[] | undefined> {
    for (const followed of this.#followed.values()) {
      const { sandboxId, manifest } = followed.execution;
      if (sandboxId === query.sandboxId && manifest.teamId === query.teamId) await this.#collectOnce(followed);
    }
    return await this.#options.files.read(query);
  }

  /** Fetches what daemons have said and writes everything down. */
  async close(): Promise<void> {
    clearInterval(this.#pruning);
    for (const { timer } of this.#followed.values()) clearTimeout(timer);
    this.#closing.abort();
    await Promise.all([...this.#followed.values()].map(({ collecting }) => collecting));
    this.#followed.clear();
    await this.#options.files.flush();
  }

  #schedule(followed: Followed): void {
    followed.timer = setTimeout(() => {
      void this.#collectOnce(followed).then(() => {
        if (this.#followed.get(followed.execution.executionId) === followed && !this.#closing.signal.aborted) {
          this.#schedule(followed);
        }
      });
    }, this.#options.collectMs);
  }

  /** Those who ask at the same time share one look. */
  #collectOnce(followed: Followed): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(lookMs)]);
    followed.collecting ??= this.#collect(followed.execution, signal).finally(() => {
      followed.collecting = undefined;
    });
    return followed.collecting;
  }

  async #collect(execution: Execution, signal: AbortSignal): Promise<void> {
    const { files, runtime } = this.#options;
    const { sandboxId, executionId, daemonSecret, manifest } = execution;
    if (daemonSecret === undefined) return;
    try {
      const after = await files.told(manifest.teamId, sandboxId);
      const connect = (attempt: AbortSignal) => runtime.connect(executionId, daemonPort, attempt);
      const { entries, dropped } = await readDaemonLog(connect, daemonSecret, after, signal);
      if (dropped > 0) {
        const message = `${dropped} lines of the sandbox's daemon were lost: it said more than it keeps`;
        this.#say(execution, "warn", message, { event_type: "lines_lost", lines: String(dropped) });
      }
      if (entries.length > 0) await files.append(manifest.teamId, sandboxId, entries);
    } catch (error) {
      if (!signal.aborted && !hasCode(error, "not_found")) {
        execution.logger.debug({ err: error }, "cannot read the log of the sandbox's daemon");
      }
    }
  }

  #say({ sandboxId, manifest }: Execution, level: LogLevel, message: string, fields: Record<string, string>): void {
    const entry = { timeMs: Date.now(), level, logger: "node", message, fields };
    void this.#options.files.append(manifest.teamId, sandboxId, [entry]);
  }

  async #prune(): Promise<void> {
    const live = new Set([...this.#followed.values()].map(({ execution }) => execution.sandboxId));
    try {
      await this.#options.files.prune((sandboxId) => live.has(sandboxId), Date.now());
    } catch (error) {
      this.#options.logger.warn({ err: error }, "cannot clear the logs of ended sandboxes");
    }
  }
}

const causes: Readonly<Record<DeletionCauseName, string>> = {
  requested: "it was killed or its time was over",
  expired: "its time was over",
  exited: "its first process ended",
  start_failed: "its start failed",
  shutdown: "its node was shut down",
};

const pruneMs = 60_000;
/** For one look at a daemon. */
const lookMs = 1_000;
/** The same, when a kill waits for it. */
const lastLookMs = 300;
