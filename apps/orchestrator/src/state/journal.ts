import { CastellanError, type Epoch, type Failpoints } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import { NodeState } from "./node-state.ts";
import type { StateRecord } from "./records.ts";
import { StateLog } from "./state-log.ts";

/**
 * The node's state and its log in one: a record is in the file before it is in the state, and in the state in the same
 * turn. What is due in one turn of the event loop leaves as one append, whoever asked for it.
 */
export class Journal {
  readonly state: NodeState;
  readonly #log: StateLog;
  readonly #logger: Logger;
  readonly #failpoints: Failpoints | undefined;
  #waiting: Waiting[] = [];
  #flushSoon: NodeJS.Immediate | undefined;
  #seenEpoch: Epoch;
  #closed = false;

  private constructor(log: StateLog, state: NodeState, logger: Logger, failpoints?: Failpoints) {
    this.#log = log;
    this.#failpoints = failpoints;
    this.#logger = logger;
    this.state = state;
    this.#seenEpoch = state.epoch;
  }

  /** @throws `conflict` when a later version of this software has written the file. */
  static open(path: string, logger: Logger, failpoints?: Failpoints): Journal {
    const { log, records } = StateLog.open(path, logger);
    const state = new NodeState();
    for (const record of records) state.apply(record);
    log.compact(state.snapshot(Date.now()));
    return new Journal(log, state, logger, failpoints);
  }

  /**
   * Resolves once all of the records are in the file and the state. They stay together and in order.
   * @throws `internal` when they could not be written; then none of them is in the state.
   */
  record(...records: readonly StateRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new CastellanError("unavailable", "The node is shutting down"));
        return;
      }
      this.#waiting.push({ records, resolve, reject });
      this.#flushSoon ??= setImmediate(() => this.#flush());
    });
  }

  /**
   * Notes the epoch of a message, durably when it is a new one. `false` when a higher one has been seen: the message is
   * of an older incarnation of the store.
   */
  async admitEpoch(epoch: Epoch): Promise<boolean> {
    if (this.isStale(epoch)) return false;
    this.#seenEpoch = epoch;
    if (this.state.epoch < epoch) await this.record({ kind: "node", epoch });
    return true;
  }

  /** As `admitEpoch` without noting anything. */
  isStale(epoch: Epoch): boolean {
    return epoch < this.#seenEpoch;
  }

  /** Writes what is due and closes the file. */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#log.close();
  }

  #flush(): void {
    clearImmediate(this.#flushSoon);
    this.#flushSoon = undefined;
    const due = this.#waiting;
    if (due.length === 0) return;
    this.#waiting = [];
    const records = due.flatMap((waiting) => waiting.records);
    try {
      this.#failpoints?.now("node.append.before");
      this.#log.append(records);
    } catch (error) {
      this.#logger.error({ err: error, records: records.length }, "cannot write the node's state");
      for (const { reject } of due) reject(error);
      return;
    }
    this.#failpoints?.now("node.append.after");
    for (const record of records) this.state.apply(record);
    for (const { resolve } of due) resolve();
    if (this.#log.wantsCompaction) this.#log.compact(this.state.snapshot(Date.now()));
  }
}

interface Waiting {
  readonly records: readonly StateRecord[];
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}
