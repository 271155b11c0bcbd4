import type { EventId, LifecycleEvent } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import { presentEvent } from "./presenting.ts";

/** An event with its JSON, which is written once for all who follow the team. */
export interface PreparedEvent {
  readonly event: LifecycleEvent;
  readonly json: string;
}

export interface PreparedPage {
  readonly events: readonly PreparedEvent[];
  /** Everything up to here is in the page, or is not there. */
  readonly upTo: EventId;
  readonly more: boolean;
}

/**
 * What all who follow a team's events share: looking whether there is something new, and reading it. It asks the store
 * every `everyMs` for as long as somebody waits: the same for every store and any number of API processes, bounded
 * however much happens, and without a connection that a blocked command would hold.
 */
export interface EventFeed {
  /** The newest event's id; 0 when there is none. */
  newest(teamId: string): Promise<EventId>;
  /** Whether an event with this id is still kept. */
  has(teamId: string, id: EventId): Promise<boolean>;
  read(teamId: string, after: EventId): Promise<PreparedPage>;
  /** Resolves once there may be something beyond `after`, or the signal aborts. */
  changed(teamId: string, after: EventId, signal: AbortSignal): Promise<void>;
}

/** Of one read: at most some 13 MB, were all of them as large as they can be. */
const pageEvents = 100;

export function createEventFeed(store: SandboxStore, everyMs: number): EventFeed {
  const reads = new Map<string, Promise<PreparedPage>>();
  const watches = new Map<string, TeamWatch>();

  const feed: EventFeed = {
    async newest(teamId) {
      const { events } = await store.listEvents(teamId, { order: "desc", limit: 1 });
      return events[0]?.id ?? 0;
    },
    async has(teamId, id) {
      const { events } = await store.listEvents(teamId, { order: "asc", after: id - 1, limit: 1 });
      return events[0]?.id === id;
    },
    read(teamId, after) {
      const key = `${teamId} ${after}`;
      const reading = reads.get(key) ?? read(teamId, after).finally(() => reads.delete(key));
      reads.set(key, reading);
      return reading;
    },
    changed(teamId, after, signal) {
      const watch =
        watches.get(teamId) ??
        new TeamWatch(
          () => feed.newest(teamId),
          everyMs,
          () => watches.delete(teamId),
        );
      watches.set(teamId, watch);
      return watch.beyond(after, signal);
    },
  };
  return feed;

  async function read(teamId: string, after: EventId): Promise<PreparedPage> {
    const { events, upTo, more } = await store.listEvents(teamId, { order: "asc", after, limit: pageEvents });
    const prepared = events.map((event) => ({ event, json: JSON.stringify(presentEvent(event)) }));
    return { events: prepared, upTo: upTo ?? after, more };
  }
}

interface Waiter {
  readonly after: EventId;
  readonly wake: () => void;
}

/** Looks for a team's newest event for as long as anybody waits for one. */
class TeamWatch {
  readonly #newest: () => Promise<EventId>;
  readonly #everyMs: number;
  readonly #ended: () => void;
  readonly #waiters = new Set<Waiter>();
  #looking = false;

  constructor(newest: () => Promise<EventId>, everyMs: number, ended: () => void) {
    this.#newest = newest;
    this.#everyMs = everyMs;
    this.#ended = ended;
  }

  beyond(after: EventId, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        after,
        wake: () => {
          this.#waiters.delete(waiter);
          signal.removeEventListener("abort", waiter.wake);
          resolve();
        },
      };
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", waiter.wake);
      this.#waiters.add(waiter);
      if (!this.#looking) void this.#look();
    });
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#waiters.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.#everyMs));
      // A store that does not answer now is asked again; whoever follows stays connected meanwhile.
      const newest = await this.#newest().catch(() => 0);
      for (const waiter of [...this.#waiters]) if (newest > waiter.after) waiter.wake();
    }
    this.#looking = false;
    this.#ended();
  }
}
