import type { RunCommand } from "../host/command.ts";

interface Waiting {
  readonly script: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Applies nft scripts one after another, each as one transaction. What gathers while a transaction is under way leaves
 * together in the next one; when that fails, each goes alone, so that one bad script is its own sender's failure.
 */
export class Firewall {
  readonly #run: RunCommand;
  #waiting: Waiting[] = [];
  #draining: Promise<void> | undefined;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  /** @throws `internal` or `deadline_exceeded`; then nothing of the script is in force. */
  apply(script: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ script, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#transact(batch.map(({ script }) => script).join(""));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        const [only, ...others] = batch;
        if (only !== undefined && others.length === 0) {
          only.reject(error);
          continue;
        }
        for (const { script, resolve, reject } of batch) await this.#transact(script).then(resolve, reject);
      }
    }
    this.#draining = undefined;
  }

  async #transact(script: string): Promise<void> {
    await this.#run("nft", ["-f", "-"], { input: script });
  }
}
