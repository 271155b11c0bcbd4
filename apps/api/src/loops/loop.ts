import type { Logger } from "@castellan/telemetry";
import { createPerNode, type PerNode } from "./per-node.ts";

/** Something that is done again and again, one run at a time. */
export interface Loop {
  start(): void;
  /** Has the next run begin at once, or right after the one that is under way. */
  wake(): void;
  /** Waits for the run that is under way, and for what it began. */
  stop(): Promise<void>;
  /** One run and what it begins, for who drives the loop by hand. @throws what the run throws. */
  once(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  /** Between the end of one run and the start of the next, in milliseconds. */
  readonly everyMs: number | (() => number);
  readonly logger: Logger;
  /** `nodes` is for what may take long: a run that waits for a slow node would hold up all others. */
  readonly run: (nodes: PerNode, signal: AbortSignal) => Promise<void>;
}

/** A failing run is logged and followed by the next; the same failure is logged once a minute, not at every run. */
export function createLoop({ name, everyMs, logger, run }: LoopOptions): Loop {
  const stopping = new AbortController();
  const nodes = createPerNode();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let woken = false;
  let complaint = { text: "", at: 0 };

  return {
    start: () => schedule(0),
    wake() {
      if (running === undefined && timer === undefined) return;
      woken = true;
      if (timer === undefined) return;
      clearTimeout(timer);
      schedule(0);
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await running;
      await nodes.idle();
    },
    async once() {
      await run(nodes, stopping.signal);
      await nodes.idle();
    },
  };

  function schedule(afterMs: number): void {
    if (stopping.signal.aborted) return;
    timer = setTimeout(() => {
      timer = undefined;
      woken = false;
      running = runLogged().finally(() => schedule(woken ? 0 : typeof everyMs === "number" ? everyMs : everyMs()));
    }, afterMs);
  }

  async function runLogged(): Promise<void> {
    try {
      await run(nodes, stopping.signal);
    } catch (error) {
      if (stopping.signal.aborted) return;
      const text = error instanceof Error ? error.message : String(error);
      if (text === complaint.text && performance.now() - complaint.at < 60_000) return;
      complaint = { text, at: performance.now() };
      logger.error({ loop: name, err: error }, "a control loop failed; it goes on");
    }
  }
}

/** Does `work` for each item, so many at once; failures are given to `failed` and stop nothing. */
export async function forEachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
  failed: (item: T, error: unknown) => void,
): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) {
      try {
        await work(item);
      } catch (error) {
        failed(item, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}
