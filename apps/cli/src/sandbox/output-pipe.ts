import { once } from "node:events";
import type { Writable } from "node:stream";

/** Writes at the reader's pace and knows when the reader has gone, also for `process.stdout`, which never is destroyed. */
export class OutputPipe {
  readonly #stream: Writable;
  #broken = false;
  readonly #note = (): void => {
    this.#broken = true;
  };

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", this.#note);
  }

  /** Resolves when more may be written: to whether anybody still reads. */
  async write(bytes: Uint8Array | string): Promise<boolean> {
    if (this.#broken || this.#stream.destroyed) return false;
    try {
      if (!this.#stream.write(bytes)) await once(this.#stream, "drain");
    } catch {
      return false;
    }
    return !this.#broken;
  }
}
