import { create } from "@bufbuild/protobuf";
import {
  type SandboxUpdateRequest,
  type SandboxUpdateResult,
  UpdateOutcome,
  type UpdateStreamRequest,
  UpdateStreamRequestSchema,
} from "@castellan/contracts/sandbox";
import type { Revision } from "@castellan/domain";
import type { Confirmation } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import { appliedOf, enumName, type LiveFieldName, liveFields } from "../nodes/messages.ts";
import type { NodeClient } from "../nodes/node-client.ts";

/** One field of one execution at one revision, on its way to the node. */
export interface Update {
  readonly teamId: string;
  readonly sandboxId: string;
  readonly executionId: string;
  readonly field: LiveFieldName;
  readonly revision: Revision;
  readonly epoch: number;
  /** Made when the message is, so that what is left of a life is counted then. */
  readonly message: () => SandboxUpdateRequest;
}

export interface NodeUpdatesOptions {
  readonly nodeId: string;
  readonly client: NodeClient;
  readonly logger: Logger;
  /** Every confirmation, before the updates that waited for it are told. */
  readonly onReport: (report: Confirmation) => void;
  readonly answerMs: number;
  readonly callMs: number;
}

/**
 * Carries updates to one node and confirmations back, over one long-lived stream: what is due in one turn of the event
 * loop leaves as one message. An update that is overtaken by a newer one of the same field before it leaves is never
 * sent; whoever waited for it is told by the newer one's confirmation. While the stream is down, single calls do the
 * same at the pace at which it tries to come back.
 */
export interface NodeUpdates {
  /** Whether the node held the update's revision, or a higher one, within `waitMs`. */
  send(update: Update, waitMs: number): Promise<boolean>;
  close(): void;
}

const maxUpdatesPerMessage = 256;
const firstPauseMs = 50;
const longestPauseMs = 5_000;
const callsAtOnce = 16;

interface Entry {
  update: Update;
  state: "due" | "sent" | "done";
  sentAt: number;
  readonly waiters: Set<Waiter>;
}

interface Waiter {
  readonly revision: Revision;
  readonly timer: NodeJS.Timeout;
  readonly settle: (held: boolean) => void;
}

export function createNodeUpdates(options: NodeUpdatesOptions): NodeUpdates {
  const { client, logger, nodeId } = options;
  const entries = new Map<string, Partial<Record<LiveFieldName, Entry>>>();
  const closing = new AbortController();
  let due: Entry[] = [];
  let stream: AbortController | undefined;
  let mode: "idle" | "streaming" | "calling" = "idle";
  let wake: (() => void) | undefined;
  let watchdog: NodeJS.Timeout | undefined;
  let answeredAt = 0;
  let calls = 0;

  return {
    send(update, waitMs) {
      if (closing.signal.aborted) return Promise.resolve(false);
      return new Promise((resolve) => {
        const entry = enqueue(update);
        const waiter: Waiter = {
          revision: update.revision,
          timer: setTimeout(() => {
            entry.waiters.delete(waiter);
            if (entry.waiters.size === 0 && entry.state === "due") forget(entry);
            resolve(false);
          }, waitMs),
          settle: (held) => {
            clearTimeout(waiter.timer);
            resolve(held);
          },
        };
        entry.waiters.add(waiter);
        if (mode === "idle") void run();
        else if (mode === "streaming") wake?.();
        else if (entry.state === "due" && calls < callsAtOnce) void callOne(entry);
      });
    },
    close() {
      closing.abort();
      stream?.abort();
      clearTimeout(watchdog);
      for (const fields of entries.values()) {
        for (const field of liveFields) {
          const entry = fields[field];
          if (entry) give(entry, () => true, false);
        }
      }
      entries.clear();
      due = [];
    },
  };

  /** The entry that carries this update or one that overtakes it. */
  function enqueue(update: Update): Entry {
    let fields = entries.get(update.executionId);
    if (fields === undefined) {
      fields = {};
      entries.set(update.executionId, fields);
    }
    const present = fields[update.field];
    if (present === undefined) {
      const entry: Entry = { update, state: "due", sentAt: 0, waiters: new Set() };
      fields[update.field] = entry;
      due.push(entry);
      return entry;
    }
    // Everyone who waited for what was sent has given up: whoever asks anew gets it sent anew.
    const givenUp = present.state === "sent" && present.waiters.size === 0;
    if (update.revision > present.update.revision) present.update = update;
    else if (!givenUp) return present;
    if (present.state === "sent") {
      present.state = "due";
      due.push(present);
    }
    return present;
  }

  function forget(entry: Entry): void {
    entry.state = "done";
    const { executionId, field } = entry.update;
    const fields = entries.get(executionId);
    if (fields?.[field] !== entry) return;
    delete fields[field];
    if (liveFields.every((name) => fields[name] === undefined)) entries.delete(executionId);
  }

  function give(entry: Entry, to: (waiter: Waiter) => boolean, held: boolean): void {
    for (const waiter of entry.waiters) {
      if (!to(waiter)) continue;
      entry.waiters.delete(waiter);
      waiter.settle(held);
    }
  }

  /** Streams as long as it goes, then calls singly and tries again after a pause that grows. */
  async function run(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!closing.signal.aborted) {
      mode = "streaming";
      const confirmed = await streamOnce();
      if (closing.signal.aborted) return;
      pauseMs = confirmed ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      mode = "calling";
      requeueSent();
      await callSingly();
      await pause(pauseMs, closing.signal);
      if (due.length === 0) {
        // Nobody waits: the next update opens the stream.
        mode = "idle";
        return;
      }
    }
  }

  /** Answers whether the node confirmed anything on it. */
  async function streamOnce(): Promise<boolean> {
    const controller = new AbortController();
    stream = controller;
    let confirmed = false;
    try {
      for await (const response of client.sandboxes.updateStream(outgoing(controller.signal), {
        signal: controller.signal,
        timeoutMs: 0,
      })) {
        confirmed = true;
        answeredAt = performance.now();
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
      if (signal.aborted) return;
      const updates = takeDue(maxUpdatesPerMessage);
      if (updates.length > 0) yield create(UpdateStreamRequestSchema, { updates });
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
      if (signal.aborted || due.length > 0) return soon();
      wake = soon;
      signal.addEventListener("abort", soon, { once: true });
    });
  }

  function takeDue(limit: number): SandboxUpdateRequest[] {
    const taken = due.splice(0, limit).filter((entry) => entry.state === "due");
    const now = performance.now();
    for (const entry of taken) {
      entry.state = "sent";
      entry.sentAt = now;
    }
    if (taken.length > 0) watchdog ??= setTimeout(watch, options.answerMs);
    return taken.map((entry) => entry.update.message());
  }

  /** A stream on which nothing is answered is given up, whatever the connection looks like. */
  function watch(): void {
    watchdog = undefined;
    const limit = performance.now() - options.answerMs;
    const late = sentEntries().filter((entry) => entry.sentAt <= limit);
    if (late.length > 0 && answeredAt <= limit) {
      logger.warn({ nodeId, updates: late.length }, "the node leaves updates unanswered");
      stream?.abort();
      return;
    }
    // The stream lives, but these were lost on it: the re-push loop finds them in the store.
    for (const entry of late) {
      give(entry, () => true, false);
      forget(entry);
    }
    if (sentEntries().length > 0) watchdog = setTimeout(watch, options.answerMs);
  }

  function sentEntries(): Entry[] {
    return [...entries.values()].flatMap((fields) =>
      liveFields.flatMap((field) => (fields[field]?.state === "sent" ? [fields[field]] : [])),
    );
  }

  /** What was sent and not answered is sent again, as long as somebody waits for it; the rest is the re-push loop's. */
  function requeueSent(): void {
    for (const entry of sentEntries()) {
      if (entry.waiters.size === 0) {
        forget(entry);
      } else {
        entry.state = "due";
        due.push(entry);
      }
    }
  }

  async function callSingly(): Promise<void> {
    const waiting = due;
    due = [];
    const work = async (): Promise<void> => {
      for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) await callOne(entry);
    };
    await Promise.all(Array.from({ length: callsAtOnce }, work));
  }

  async function callOne(entry: Entry): Promise<void> {
    if (entry.state !== "due") return;
    entry.state = "sent";
    entry.sentAt = performance.now();
    calls += 1;
    try {
      const { epoch, bootId, result } = await client.sandboxes.update(entry.update.message(), {
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
    if (isSent(entry)) {
      if (entry.waiters.size === 0) {
        forget(entry);
      } else {
        entry.state = "due";
        due.push(entry);
      }
    }
  }

  function take(result: SandboxUpdateResult, epoch: number, bootId: string): void {
    const { sandboxId, executionId, outcome } = result;
    const applied = appliedOf(result.applied);
    const held = outcome === UpdateOutcome.HELD;
    if (!held) {
      const reason = enumName(UpdateOutcome, outcome);
      logger.warn({ nodeId, sandboxId, executionId, reason, detail: result.message }, "a node did not take an update");
    }
    // Nobody asked for it any more: the next List tells the same.
    const fields = entries.get(executionId);
    if (fields === undefined) return;
    // Rules of the network are what can fail: they fail alone, as every update carries one field.
    const egressFailed = outcome === UpdateOutcome.FAILED && fields.egress?.state === "sent";
    for (const field of liveFields) {
      const entry = fields[field];
      if (entry === undefined) continue;
      const revision = applied[field];
      if (held) options.onReport({ teamId: entry.update.teamId, sandboxId, executionId, epoch, bootId, applied });
      if (held && epoch === entry.update.epoch) {
        give(entry, (waiter) => waiter.revision <= revision, true);
        if (entry.update.revision <= revision) forget(entry);
      } else if (entry.state === "sent" && (!egressFailed || field === "egress")) {
        // Refused, or confirmed in another incarnation of the store, which proves nothing about this one.
        give(entry, () => true, false);
        forget(entry);
      }
    }
  }
}

function isSent(entry: Entry): boolean {
  return entry.state === "sent";
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
