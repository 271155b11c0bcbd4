import { CastellanError } from "@castellan/domain";

/** Lets a few pieces of work run at a time; the others wait for their turn in the order in which they came. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** @throws `cancelled` when the signal aborts before the turn; else what the work throws. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(cancelled());
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        reject(cancelled());
      };
      const begin = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      this.#waiting.push(begin);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}

function cancelled(): CastellanError {
  return new CastellanError("cancelled", "The start was given up");
}
