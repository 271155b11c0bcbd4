import { Readable } from "node:stream";
import { CastellanError, type EventId, type LifecycleEvent } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import type { EventFeed } from "./feed.ts";
import { publicType } from "./presenting.ts";

export interface StreamLimits {
  /** Streams of one team in this process. Default 100. */
  readonly perTeam: number;
  /** Streams in this process. Default 1,000. */
  readonly inAll: number;
  /** Between two comments on a stream where nothing happens, in milliseconds. Default 15,000. */
  readonly commentMs: number;
  /** How long a reader may take nothing while there is something for it. Default 10,000. */
  readonly slowMs: number;
  /** How long a stream lasts. Default an hour. */
  readonly longestMs: number;
}

export const defaultStreamLimits: StreamLimits = {
  perTeam: 100,
  inAll: 1_000,
  commentMs: 15_000,
  slowMs: 10_000,
  longestMs: 3_600_000,
};

export interface Followed {
  readonly teamId: string;
  /** The event after which to go on; absent: from now on. */
  readonly after?: EventId;
  readonly wants: (event: LifecycleEvent) => boolean;
}

/** Everybody who follows events as they come. */
export interface EventStreams {
  /** @throws `quota_exceeded`; `unavailable` when the store does not answer, or this process is stopping. */
  open(followed: Followed): Promise<Readable>;
  /** Ends every stream. */
  close(): void;
}

/** Bytes that wait for a reader before nothing more is read for it. */
const buffered = 256 * 1024;
/** After a store that did not answer. */
const againMs = 1_000;

export function createEventStreams(feed: EventFeed, limits: StreamLimits, logger: Logger): EventStreams {
  const closing = new AbortController();
  const byTeam = new Map<string, number>();
  let inAll = 0;

  return {
    async open(followed) {
      const { teamId, after } = followed;
      if (closing.signal.aborted) throw new CastellanError("unavailable", "This process is stopping");
      const ofTeam = byTeam.get(teamId) ?? 0;
      if (ofTeam >= limits.perTeam || inAll >= limits.inAll) {
        const most = ofTeam >= limits.perTeam ? limits.perTeam : limits.inAll;
        throw new CastellanError("quota_exceeded", `At most ${most} streams of events may be open`, {
          retryAfterSeconds: 10,
        });
      }
      byTeam.set(teamId, ofTeam + 1);
      inAll += 1;
      try {
        const from = after ?? (await feed.newest(teamId));
        const isGap = after !== undefined && after > 0 && !(await feed.has(teamId, after));
        const stream = new EventStream(feed, followed, from, isGap, limits, closing.signal, logger);
        stream.readable.once("close", () => leave(teamId));
        return stream.readable;
      } catch (error) {
        leave(teamId);
        throw error;
      }
    },
    close: () => closing.abort(),
  };

  function leave(teamId: string): void {
    inAll -= 1;
    const left = (byTeam.get(teamId) ?? 1) - 1;
    if (left > 0) byTeam.set(teamId, left);
    else byTeam.delete(teamId);
  }
}

/** One reader's stream, in the format of server-sent events. */
class EventStream {
  readonly readable: Readable;
  readonly #feed: EventFeed;
  readonly #followed: Followed;
  readonly #limits: StreamLimits;
  readonly #ending = new AbortController();
  #drained: (() => void) | undefined;
  #lastWritten = performance.now();

  constructor(
    feed: EventFeed,
    followed: Followed,
    from: EventId,
    isGap: boolean,
    limits: StreamLimits,
    closing: AbortSignal,
    logger: Logger,
  ) {
    this.#feed = feed;
    this.#followed = followed;
    this.#limits = limits;
    this.readable = new Readable({ highWaterMark: buffered, read: () => this.#drained?.() });
    const end = () => this.#ending.abort();
    const timers = [setInterval(() => this.#comment(), limits.commentMs), setTimeout(end, limits.longestMs)];
    closing.addEventListener("abort", end);
    this.readable.once("close", () => {
      end();
      closing.removeEventListener("abort", end);
      for (const timer of timers) clearTimeout(timer);
    });
    this.#follow(from, isGap).catch((error: unknown) => {
      logger.error({ teamId: followed.teamId, err: error }, "a stream of events failed");
      this.readable.destroy();
    });
  }

  async #follow(from: EventId, isGap: boolean): Promise<void> {
    const { signal } = this.#ending;
    const { teamId, wants } = this.#followed;
    let position = from;
    await this.#write(`retry: 1000\n: following after ${from}\n\n`);
    if (isGap) await this.#write(`event: gap\ndata: {"after":"${from}"}\n\n`);
    while (!signal.aborted) {
      const page = await this.#feed.read(teamId, position).catch(() => undefined);
      if (page === undefined) {
        await pause(againMs, signal);
        continue;
      }
      for (const { event, json } of page.events) {
        if (signal.aborted) break;
        if (!wants(event)) continue;
        if (!(await this.#write(`id: ${event.id}\nevent: ${publicType(event.type)}\ndata: ${json}\n\n`))) return;
      }
      position = page.upTo;
      if (!page.more) await this.#feed.changed(teamId, position, signal);
    }
    if (!this.readable.destroyed) this.readable.push(null);
  }

  /** Answers whether the stream goes on. A reader that takes nothing for too long is cut off. */
  async #write(text: string): Promise<boolean> {
    if (this.readable.destroyed) return false;
    this.#lastWritten = performance.now();
    if (this.readable.push(text)) return true;
    const drained = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => settle(false), this.#limits.slowMs);
      const stop = () => settle(!this.readable.destroyed);
      const settle = (goesOn: boolean) => {
        clearTimeout(timer);
        this.#ending.signal.removeEventListener("abort", stop);
        this.#drained = undefined;
        resolve(goesOn);
      };
      this.#drained = () => settle(true);
      this.#ending.signal.addEventListener("abort", stop);
    });
    if (!drained) this.readable.destroy();
    return drained;
  }

  #comment(): void {
    const isQuiet = performance.now() - this.#lastWritten >= this.#limits.commentMs / 2;
    const isWaiting = this.#drained !== undefined;
    if (isQuiet && !isWaiting && !this.readable.destroyed && !this.#ending.signal.aborted) this.readable.push(":\n\n");
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      resolve();
    };
    const timer = setTimeout(stop, ms);
    signal.addEventListener("abort", stop);
  });
}
