import type { EventId, LifecycleEvent, Micros, WebhookRetry } from "@castellan/domain";
import type { EventPage } from "@castellan/store";

/** What is delivered at once, and what is so far known to be settled afterwards. */
export interface Round {
  readonly fresh: readonly LifecycleEvent[];
  readonly retries: readonly WebhookRetry[];
  /** Retries that this round leaves alone, with the events that now wait behind one of the same sandbox. */
  readonly waiting: readonly WebhookRetry[];
  /** Up to here everything is in the round, among the waiting, or of no interest. */
  readonly cursor: EventId;
}

/** What a webhook may have waiting; beyond it nothing new is begun, and the events stay in the stream. */
export const maxWaiting = 100;

/**
 * Chooses what to deliver next: at most one event of each sandbox, so that each sandbox's are told in their order, and
 * never past one of the same sandbox that is still to be retried.
 */
export function chooseRound(
  cursor: EventId,
  retries: readonly WebhookRetry[],
  page: EventPage,
  now: Micros,
  atOnce: number,
): Round {
  const waiting = [...retries].sort((a, b) => a.eventId - b.eventId);
  const first = new Map<string, WebhookRetry>();
  for (const retry of waiting) if (!first.has(retry.sandboxId)) first.set(retry.sandboxId, retry);
  const due = [...first.values()].filter(({ nextAt }) => nextAt <= now).slice(0, atOnce);

  const fresh: LifecycleEvent[] = [];
  const sandboxes = new Set<string>();
  let upTo = cursor;
  let isWhole = true;
  for (const event of page.events) {
    const before = first.get(event.sandboxId);
    const room = before === undefined ? due.length + fresh.length < atOnce : waiting.length < maxWaiting;
    if (!room || sandboxes.has(event.sandboxId) || waiting.length + fresh.length >= maxWaiting) {
      isWhole = false;
      break;
    }
    if (before === undefined) {
      fresh.push(event);
      sandboxes.add(event.sandboxId);
    } else {
      waiting.push({ eventId: event.id, sandboxId: event.sandboxId, attempts: 0, nextAt: before.nextAt });
    }
    upTo = event.id;
  }
  return {
    fresh,
    retries: due,
    waiting: waiting.filter((retry) => !due.includes(retry)),
    cursor: isWhole ? (page.upTo ?? cursor) : upTo,
  };
}

/** Milliseconds before the next attempt: twice as long each time, up to 2 minutes, and up to half of it more or less. */
export function backOff(failed: number, firstMs: number, random: () => number = Math.random): number {
  return Math.min(firstMs * 2 ** (failed - 1), 120_000) * (0.5 + random());
}
