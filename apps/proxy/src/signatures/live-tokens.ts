/** A secure sandbox and its access token. */
export interface LiveToken {
  readonly sandboxId: string;
  readonly token: string;
}

export interface LiveTokenPage {
  readonly tokens: readonly LiveToken[];
  /** The place after which the next page begins. */
  readonly upTo: number;
  /** How many there are in all. */
  readonly total: number;
  /** Places of another epoch mean nothing. */
  readonly epoch: number;
}

/** A page of the tokens of all secure sandboxes, in the order in which they came, after a place. */
export type ListLiveTokens = (after: number, limit: number) => Promise<LiveTokenPage>;

/** What one call to the store brings. */
const pageSize = 1_000;

/**
 * The access tokens of secure sandboxes, as this process knows them. To be up to date costs one call that brings what
 * came since the last; who waits for it at the same time shares it. Tokens of sandboxes that are gone stay until they are
 * many: what they match is asked for, and is not there.
 */
export class LiveTokens {
  readonly #list: ListLiveTokens;
  readonly #most: number;
  #tokens: LiveToken[] = [];
  #upTo = 0;
  #epoch: number | undefined;
  #total = 0;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** Beyond `most` none are kept. */
  constructor(list: ListLiveTokens, most: number) {
    this.#list = list;
    this.#most = most;
  }

  /** Replaced, never shortened: what is in the list that was read first stays at its place. */
  get all(): readonly LiveToken[] {
    return this.#tokens;
  }

  /** Whether there are more than are kept, as far as is known. */
  get tooMany(): boolean {
    return this.#total > this.#most;
  }

  /** Brings everything that was there when it was called. Rejects when the store does not say. */
  refresh(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#read().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    // What is under way may have read before this call.
    const running = this.#running;
    this.#next ??= running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.refresh();
      });
    return this.#next;
  }

  async #read(): Promise<void> {
    for (;;) {
      const page = await this.#list(this.#upTo, pageSize);
      this.#total = page.total;
      if (page.total > this.#most || (this.#epoch !== undefined && page.epoch !== this.#epoch)) {
        const again = page.total <= this.#most;
        this.#forget(page.epoch);
        if (again) continue;
        return;
      }
      this.#epoch = page.epoch;
      this.#upTo = page.upTo;
      this.#tokens.push(...page.tokens);
      if (page.tokens.length === pageSize) continue;
      if (this.#tokens.length <= page.total + Math.max(pageSize / 4, page.total / 4)) return;
      this.#forget(page.epoch);
    }
  }

  #forget(epoch: number): void {
    this.#tokens = [];
    this.#upTo = 0;
    this.#epoch = epoch;
  }
}
