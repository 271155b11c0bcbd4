import { hasCode } from "@castellan/domain";
import type { NodeRuntime, RunUsage } from "../node-runtime.ts";
import type { Execution } from "../sandboxes/execution.ts";
import { MetricHistory, type MetricSample } from "./history.ts";

export interface SamplerOptions {
  readonly runtime: Pick<NodeRuntime, "usage">;
  /** Milliseconds between two measurements of one execution. */
  readonly everyMs: number;
  /** Milliseconds from the start to the first measurement. */
  readonly firstMs: number;
}

interface Measured {
  readonly execution: Execution;
  readonly history: MetricHistory;
  timer: NodeJS.Timeout | undefined;
  /** The counter of processor time and when it was read, on the monotonic clock. */
  before: { readonly cpuMicros: number; readonly at: number } | undefined;
}

/** Measures what the executions of this node use, from the moment they run until they end. */
export class Sampler {
  readonly #options: SamplerOptions;
  readonly #measured = new Map<string, Measured>();

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** Begins with an execution that runs. */
  begin(execution: Execution): void {
    if (this.#measured.has(execution.executionId)) return;
    const { everyMs, firstMs } = this.#options;
    const measured: Measured = { execution, history: new MetricHistory(everyMs), timer: undefined, before: undefined };
    this.#measured.set(execution.executionId, measured);
    void this.#read(measured);
    this.#schedule(measured, firstMs);
  }

  /** Forgets an execution. */
  end(executionId: string): void {
    clearTimeout(this.#measured.get(executionId)?.timer);
    this.#measured.delete(executionId);
  }

  /** `undefined` when the execution does not run here. */
  history(executionId: string): MetricHistory | undefined {
    return this.#measured.get(executionId)?.history;
  }

  close(): void {
    for (const executionId of [...this.#measured.keys()]) this.end(executionId);
  }

  #schedule(measured: Measured, afterMs: number): void {
    measured.timer = setTimeout(() => {
      void this.#measure(measured).finally(() => {
        // One that is slow is measured less often, and never twice at once.
        if (this.#measured.get(measured.execution.executionId) === measured) {
          this.#schedule(measured, this.#options.everyMs);
        }
      });
    }, afterMs);
  }

  async #measure(measured: Measured): Promise<void> {
    const { before } = measured;
    const usage = await this.#read(measured);
    const { before: now } = measured;
    if (usage === undefined || before === undefined || now === undefined) return;
    const { cpuCount, memoryMb } = resourcesOf(measured.execution);
    const sample: MetricSample = {
      timeMs: Date.now(),
      // The counter begins anew when a sandbox is restored.
      cpuUsedPercent: percent(Math.max(0, now.cpuMicros - before.cpuMicros), (now.at - before.at) * 1000 * cpuCount),
      memoryUsedBytes: usage.memoryBytes,
      memoryTotalBytes: usage.memoryLimitBytes ?? memoryMb * 1024 * 1024,
      memoryCacheBytes: usage.cacheBytes,
      diskUsedBytes: usage.diskUsedBytes,
      diskTotalBytes: usage.diskTotalBytes,
    };
    measured.history.add(sample);
  }

  /** `undefined` where it could not be read; the next time may be better. */
  async #read(measured: Measured): Promise<RunUsage | undefined> {
    const { execution } = measured;
    try {
      const usage = await this.#options.runtime.usage(execution.executionId);
      measured.before = { cpuMicros: usage.cpuMicros, at: performance.now() };
      return usage;
    } catch (error) {
      if (!hasCode(error, "not_found")) execution.logger.warn({ err: error }, "cannot measure the sandbox");
      return undefined;
    }
  }
}

/** Two digits, as clients are used to. */
function percent(used: number, possible: number): number {
  return possible > 0 ? Math.round(Math.min(1, used / possible) * 10_000) / 100 : 0;
}

export function resourcesOf({ manifest }: Execution): { readonly cpuCount: number; readonly memoryMb: number } {
  return { cpuCount: manifest.resources?.cpuCount ?? 1, memoryMb: manifest.resources?.memoryMb ?? 0 };
}
