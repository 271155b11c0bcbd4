import type { Logger } from "@castellan/telemetry";

/**
 * What was opened, to be closed the other way round. A part that cannot be closed is logged and does not keep the others
 * open.
 */
export class Closers {
  readonly #parts: { readonly name: string; readonly close: () => unknown }[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, close: () => unknown): void {
    this.#parts.push({ name, close });
  }

  async closeAll(): Promise<void> {
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      try {
        await part.close();
      } catch (error) {
        this.#logger.error({ part: part.name, err: error }, "cannot close a part");
      }
    }
  }
}
