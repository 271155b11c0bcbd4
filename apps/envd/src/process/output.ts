import type { Readable } from "node:stream";
import type { EndEvent } from "./outcome.ts";
import { type Event, Subscription } from "./subscription.ts";

/** A stream that a process writes to, and what clients call it. */
export interface Source {
  readonly kind: "stdout" | "stderr" | "pty";
  readonly stream: Readable;
}

/** When the output of a process waits for its readers, and for how long. */
export interface OutputLimits {
  /** Bytes that may wait for one reader before the process's pipes are left alone. */
  readonly pendingBytes: number;
  /** Milliseconds without any progress after which a reader that holds others up is dropped. */
  readonly stalledMs: number;
  /** The same for a reader that nobody else is waiting for. */
  readonly stalledAloneMs: number;
}

export const standardLimits: OutputLimits = { pendingBytes: 512 * 1024, stalledMs: 30_000, stalledAloneMs: 300_000 };

/**
 * Hands the output of one process to everybody who follows it.
 *
 * Readers get all that is written from the moment they subscribe, in order. When one of them is slow, the pipes are
 * left unread until it has caught up, so the process waits as it would at a slow terminal and memory stays bounded. A
 * reader that takes nothing at all is dropped after a while, so that it holds up neither the others nor the process for
 * ever. Without any reader output is read and thrown away.
 */
export class Output {
  readonly #limits: OutputLimits;
  readonly #sources = new Set<Readable>();
  readonly #readers = new Map<Subscription, Reader>();
  readonly #onDrained: () => void;
  #paused = false;
  #stallCheck: NodeJS.Timeout | undefined;
  #quiet: { timer: NodeJS.Timeout; deadline: number } | undefined;

  /** `onDrained` is called once, when all sources have ended. */
  constructor(sources: readonly Source[], onDrained: () => void, limits = standardLimits) {
    this.#limits = limits;
    this.#onDrained = onDrained;
    for (const source of sources) this.#attach(source);
  }

  /** Follows the output from now on. `onDropped` is called when the reader is dropped for taking nothing. */
  subscribe(onDropped: () => void): Subscription {
    const subscription = new Subscription(() => {
      const reader = this.#readers.get(subscription);
      if (reader) reader.checksWithoutProgress = 0;
      this.#balance();
    });
    this.#readers.set(subscription, { checksWithoutProgress: 0, onDropped });
    return subscription;
  }

  unsubscribe(subscription: Subscription): void {
    subscription.cancel();
    this.#readers.delete(subscription);
    this.#balance();
  }

  /** Tells every reader how the process ended. Nothing follows. */
  end(end: EndEvent): void {
    for (const subscription of this.#readers.keys()) {
      subscription.push({ event: { case: "end", value: end } });
      subscription.end();
    }
    this.#readers.clear();
    this.close();
  }

  /**
   * Reads what is in the pipes and then closes them, although somebody still holds their other ends: the process was
   * ended and what it has left behind is not waited for.
   */
  closeSoon(): void {
    this.#quiet ??= {
      timer: setTimeout(() => this.#closeUnlessHeldUp(), quietMs),
      deadline: performance.now() + closingMs,
    };
  }

  #closeUnlessHeldUp(): void {
    if (this.#paused && this.#quiet && performance.now() < this.#quiet.deadline) this.#quiet.timer.refresh();
    else this.close();
  }

  close(): void {
    clearTimeout(this.#quiet?.timer);
    clearInterval(this.#stallCheck);
    for (const source of this.#sources) source.destroy();
  }

  #attach({ kind, stream: source }: Source): void {
    this.#sources.add(source);
    source.on("data", (chunk: Buffer) => {
      if (this.#quiet && performance.now() < this.#quiet.deadline) this.#quiet.timer.refresh();
      this.#publish({ event: { case: "data", value: { output: { case: kind, value: chunk } } } }, chunk.byteLength);
    });
    // A pipe that cannot be read any more is as good as ended.
    source.on("error", () => source.destroy());
    source.once("close", () => {
      this.#sources.delete(source);
      if (this.#sources.size === 0) this.#onDrained();
    });
  }

  #publish(event: Event, bytes: number): void {
    for (const subscription of this.#readers.keys()) subscription.push(event, bytes);
    this.#balance();
  }

  #balance(): void {
    let most = 0;
    for (const subscription of this.#readers.keys()) most = Math.max(most, subscription.pendingBytes);
    if (!this.#paused && most > this.#limits.pendingBytes) this.#pause();
    else if (this.#paused && most <= this.#limits.pendingBytes / 2) this.#resume();
  }

  #pause(): void {
    this.#paused = true;
    for (const source of this.#sources) source.pause();
    this.#stallCheck = setInterval(() => this.#dropStalled(), this.#limits.stalledMs / checksPerStall);
  }

  #resume(): void {
    this.#paused = false;
    clearInterval(this.#stallCheck);
    for (const source of this.#sources) source.resume();
  }

  /** Counts checks and not time, so that a sandbox that was frozen for an hour does not drop its readers at thaw. */
  #dropStalled(): void {
    const slow = [...this.#readers].filter(
      ([subscription]) => subscription.pendingBytes > this.#limits.pendingBytes / 2,
    );
    const alone = slow.length === this.#readers.size;
    const patience = (alone ? this.#limits.stalledAloneMs / this.#limits.stalledMs : 1) * checksPerStall;
    for (const [subscription, reader] of slow) {
      if (++reader.checksWithoutProgress < patience) continue;
      this.unsubscribe(subscription);
      reader.onDropped();
    }
  }
}

interface Reader {
  checksWithoutProgress: number;
  readonly onDropped: () => void;
}

const checksPerStall = 6;

/** How long pipes must be silent before they are closed on what a killed process left behind, and the longest wait. */
const quietMs = 50;
const closingMs = 2_000;
