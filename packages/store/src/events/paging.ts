import type { EventId, LifecycleEvent } from "@castellan/domain";
import { listDeadlineMs } from "../options.ts";
import type { EventPage, EventQuery } from "../store.ts";
import { eventsPerStep } from "./limits.ts";

/** What a step of a search looked at, and what it found there, in order. */
export interface EventStep {
  readonly found: readonly LifecycleEvent[];
  readonly looked: number;
  readonly last: EventId | undefined;
}

/**
 * Steps until the page is full, nothing is left or the time is over, so that no step is long, however rare the events are
 * that are asked for.
 */
export async function pageOfEvents(
  query: EventQuery,
  step: (after: EventId | undefined, atMost: number) => Promise<EventStep>,
): Promise<EventPage> {
  const until = performance.now() + listDeadlineMs;
  const events: LifecycleEvent[] = [];
  let toSkip = query.offset ?? 0;
  let upTo = query.after;
  for (;;) {
    const isFiltered = query.sandboxId !== undefined || query.types !== undefined;
    const wanted = toSkip + query.limit - events.length;
    const atMost = isFiltered ? eventsPerStep : Math.min(eventsPerStep, wanted);
    const { found, looked, last } = await step(upTo, atMost);
    for (const event of found) {
      if (toSkip > 0) toSkip -= 1;
      else events.push(event);
      if (events.length === query.limit)
        return { events, upTo: event.id, more: event.id !== last || looked === atMost };
    }
    upTo = last ?? upTo;
    const more = looked === atMost;
    if (!more || performance.now() > until) return { events, ...(upTo !== undefined && { upTo }), more };
  }
}
