import { create } from "@bufbuild/protobuf";
import {
  type SandboxUpdateResult,
  UpdateOutcome,
  type UpdateStreamRequest,
  UpdateStreamRequestSchema,
} from "@castellan/contracts/sandbox";
import type { Failpoints } from "@castellan/domain";
import type { Confirmation } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import { appliedOf, enumName } from "../nodes/messages.ts";
import type { NodeClient } from "../nodes/node-client.ts";
import { type Entry, type Update, UpdateLedger } from "./update-ledger.ts";

export interface NodeUpdatesOptions {
  readonly nodeId: string;
  readonly client: NodeClient;
  readonly logger: Logger;
  /** Every confirmation. */
  readonly onReport: (report: Confirmation) => void;
  /** Every message that leaves, with how many updates it carries; for measuring. */
  readonly onMessage?: (updates: number) => void;
  /** How long the node may leave an update on the stream unanswered, in milliseconds. */
  readonly answerMs: number;
  /** For a single call, in milliseconds. */
  readonly callMs: number;
  /** Where a test steps in. */
  readonly failpoints?: Failpoints;
}

/**
 * Carries updates to one node and confirmations back, over one long-lived stream: what is due in one turn of the event
 * loop leaves as one message. An update that is overtaken by a newer one of the same field before it leaves is never
 * sent. While the stream is down, single calls do the same.
 */
export interface NodeUpdates {
  /** Whether the node held the update's revision, or a higher one, within `waitMs`. */
  send(update: Update, waitMs: number): Promise<boolean>;
  /** Gives up what is under way. */
  close(): void;
}

const maxUpdatesPerMessage = 256;
/** How long what is due waits for the answer to what was sent before, to leave as one message with what comes meanwhile. */
const gatherMs = 3;
const firstPauseMs = 50;
const longestPauseMs = 5_000;
const callsAtOnce = 16;

export function createNodeUpdates(options: NodeUpdatesOptions): NodeUpdates {
  const { client, logger, nodeId } = options;
  const ledger = new UpdateLedger();
  const closing = new AbortController();
  let mode: "idle" | "streaming" | "calling" = "idle";
  let stream: AbortController | undefined;
  let wake: (() => void) | undefined;
  /** Messages on the stream that wait for their answer, and who waits for that. */
  let unanswered = 0;
  let onAnswer: (() => void) | undefined;
  let watchdog: NodeJS.Timeout | undefined;
  let answeredAt = 0;
  let calls = 0;

  return {
    send(update, waitMs) {
      if (closing.signal.aborted) return Promise.resolve(false);
      const { entry, held } = ledger.enter(update, waitMs);
      if (mode === "idle") void run();
      else if (mode === "streaming") wake?.();
      else if (calls < callsAtOnce && ledger.take(entry)) void call(entry);
      return held;
    },
    close() {
      closing.abort();
      stream?.abort();
      clearTimeout(watchdog);
      ledger.clear();
    },
  };

  /** Streams as long as it goes, then calls singly and tries again after a pause that grows. */
  async function run(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!closing.signal.aborted) {
      mode = "streaming";
      const confirmed = await streamOnce();
      if (closing.signal.aborted) return;
      pauseMs = confirmed ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      mode = "calling";
      ledger.requeue(ledger.sent());
      await callSingly();
      await pause(pauseMs, closing.signal);
      if (!ledger.hasDue) {
        // Nobody waits: the next update opens the stream.
        mode = "idle";
        return;
      }
    }
  }

  /** Answers whether the node confirmed anything on it. */
  async function streamOnce(): Promise<boolean> {
    const controller = new AbortController();
    const { signal } = controller;
    stream = controller;
    unanswered = 0;
    let confirmed = false;
    try {
      for await (const response of client.sandboxes.updateStream(outgoing(signal), { signal, timeoutMs: 0 })) {
        confirmed = true;
        answeredAt = performance.now();
        unanswered -= 1;
        onAnswer?.();
        if (options.failpoints) await options.failpoints.wait("api.push.answered");
        const epoch = Number(response.epoch);
        for (const result of response.results) take(result, epoch, response.bootId);
      }
      logger.info({ nodeId }, "the node ended the update stream");
    } catch (error) {
      if (!closing.signal.aborted) logger.warn({ nodeId, err: error }, "the update stream broke");
    } finally {
      controller.abort();
      clearTimeout(watchdog);
      watchdog = undefined;
    }
    return confirmed;
  }

  async function* outgoing(signal: AbortSignal): AsyncGenerator<UpdateStreamRequest> {
    while (!signal.aborted) {
      await nextTurn(signal);
      if (unanswered > 0) await nextAnswer(signal);
      if (signal.aborted) return;
      const entries = ledger.takeDue(maxUpdatesPerMessage);
      if (entries.length === 0) continue;
      watchdog ??= setTimeout(watch, options.answerMs);
      unanswered += 1;
      if (options.failpoints) await options.failpoints.wait("api.push.leaving");
      options.onMessage?.(entries.length);
      yield create(UpdateStreamRequestSchema, { updates: entries.map(({ update }) => update.message()) });
    }
  }

  /** Resolves once something is due, after everything else that becomes due in the same turn of the event loop. */
  function nextTurn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const soon = () => {
        wake = undefined;
        signal.removeEventListener("abort", soon);
        setImmediate(resolve);
      };
      if (signal.aborted || ledger.hasDue) return soon();
      wake = soon;
      signal.addEventListener("abort", soon, { once: true });
    });
  }

  /**
   * Resolves with the next answer, or after a while. A node under load then gets fewer and larger messages, each of which
   * costs it about as much as the updates in it; where nothing is under way, nothing waits.
   */
  function nextAnswer(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        onAnswer = undefined;
        resolve();
      };
      const timer = setTimeout(done, gatherMs);
      signal.addEventListener("abort", done, { once: true });
      onAnswer = done;
    });
  }

  /** A stream on which nothing is answered is given up, whatever the connection looks like. */
  function watch(): void {
    watchdog = undefined;
    const limit = performance.now() - options.answerMs;
    const late = ledger.sent().filter((entry) => entry.sentAt <= limit);
    if (late.length > 0 && answeredAt <= limit) {
      logger.warn({ nodeId, updates: late.length }, "the node leaves updates unanswered");
      stream?.abort();
      return;
    }
    // The stream lives, but these were lost on it: the re-push loop finds them in the store.
    ledger.giveUp(late);
    if (ledger.sent().length > 0) watchdog = setTimeout(watch, options.answerMs);
  }

  async function callSingly(): Promise<void> {
    const waiting = ledger.takeDue(Number.POSITIVE_INFINITY).values();
    const work = async (): Promise<void> => {
      for (const entry of waiting) await call(entry);
    };
    await Promise.all(Array.from({ length: callsAtOnce }, work));
  }

  async function call(entry: Entry): Promise<void> {
    calls += 1;
    try {
      const message = entry.update.message();
      options.onMessage?.(1);
      const { epoch, bootId, result } = await client.sandboxes.update(message, {
        timeoutMs: options.callMs,
        signal: closing.signal,
      });
      if (result) take(result, Number(epoch), bootId);
    } catch (error) {
      logger.debug({ nodeId, err: error }, "a single update failed");
    } finally {
      calls -= 1;
    }
    // No answer, or none about this field: again with the next attempt, if somebody still waits.
    ledger.requeue([entry]);
  }

  function take(result: SandboxUpdateResult, epoch: number, bootId: string): void {
    const { sandboxId, executionId, outcome } = result;
    const applied = appliedOf(result.applied);
    if (outcome !== UpdateOutcome.HELD) {
      const reason = enumName(UpdateOutcome, outcome);
      logger.warn({ nodeId, sandboxId, executionId, reason, detail: result.message }, "a node did not take an update");
    }
    const teamId = ledger.settle({ executionId, epoch, applied, outcome: outcomeOf(outcome) });
    // What nobody asks about any more is told by the next List.
    if (teamId === undefined || outcome !== UpdateOutcome.HELD) return;
    options.onReport({ teamId, sandboxId, executionId, epoch, bootId, applied });
  }
}

function outcomeOf(outcome: UpdateOutcome): "held" | "refused" | "failed" {
  if (outcome === UpdateOutcome.HELD) return "held";
  return outcome === UpdateOutcome.FAILED ? "failed" : "refused";
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
