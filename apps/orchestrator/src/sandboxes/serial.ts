/** Runs tasks of the same key one after the other, in the order in which they came; others are not held up. */
export class Serial {
  readonly #tails = new Map<string, Promise<unknown>>();

  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const previous = this.#tails.get(key);
    const own = previous === undefined ? task() : previous.then(task, task);
    this.#tails.set(key, own);
    const leave = () => {
      if (this.#tails.get(key) === own) this.#tails.delete(key);
    };
    own.then(leave, leave);
    return own;
  }
}
