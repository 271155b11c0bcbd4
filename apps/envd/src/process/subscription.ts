import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ProcessEventSchema } from "@castellan/contracts/process";

export type Event = MessageInitShape<typeof ProcessEventSchema>;

/** What an event with output costs besides the output, so that a million single bytes are not taken for a megabyte. */
const eventBytes = 256;

/**
 * What one client still has to get of a process's events, in order. Filled by the process, emptied by the client's
 * stream; the process looks at `pendingBytes` and stops reading its pipes in time.
 */
export class Subscription implements AsyncIterable<Event> {
  readonly #events: { event: Event; bytes: number }[] = [];
  readonly #onTake: () => void;
  #pendingBytes = 0;
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  /** `onTake` is called whenever the client has taken an event. */
  constructor(onTake: () => void) {
    this.#onTake = onTake;
  }

  /** Memory that waits for the client, in bytes. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether nothing waits for the client. */
  get idle(): boolean {
    return this.#events.length === 0;
  }

  /** Adds an event that carries `length` bytes of output. */
  push(event: Event, length = 0): void {
    if (this.#ended) return;
    const bytes = length > 0 ? length + eventBytes : 0;
    this.#events.push({ event, bytes });
    this.#pendingBytes += bytes;
    this.#wake?.();
  }

  /** No more events come after those that wait. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Drops what waits and ends the client's stream with `error`, or silently without one. */
  cancel(error?: unknown): void {
    this.#ended = true;
    this.#error ??= error;
    this.#events.length = 0;
    this.#pendingBytes = 0;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    for (;;) {
      const next = this.#events.shift();
      if (next) {
        this.#pendingBytes -= next.bytes;
        this.#onTake();
        yield next.event;
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}
