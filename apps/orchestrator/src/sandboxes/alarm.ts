/** The longest wait of a timer of the platform; longer ones take several. */
const longestWaitMs = 2 ** 31 - 1;

/** Calls once at a moment of the monotonic clock, which may be moved as often as one likes. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** `at` as `performance.now()`; infinity turns it off. */
  set(at: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#at = at;
    if (Number.isFinite(at)) this.#wait();
  }

  off(): void {
    this.set(Number.POSITIVE_INFINITY);
  }

  #wait(): void {
    // Rounded up, or a timer that ends a fraction early would be set again for 0 ms.
    const left = Math.ceil(this.#at - performance.now());
    this.#timer = setTimeout(
      () => {
        if (performance.now() < this.#at) this.#wait();
        else this.#ring();
      },
      Math.min(Math.max(left, 0), longestWaitMs),
    );
  }
}
