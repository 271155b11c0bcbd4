import type { DatabaseSync } from "node:sqlite";
import { clearImmediate, setImmediate } from "node:timers";
import { CastellanError, type Failpoints } from "@castellan/domain";
import { sqliteError } from "./errors.ts";

/** Runs its step and answers with what tells the caller its outcome, once that is committed. */
interface Job {
  readonly step: () => () => void;
  readonly fail: (error: unknown) => void;
}

/** A transaction takes at most this many changes, so that the event loop gets its turn. */
const maxBatch = 512;

/**
 * Group commit: the changes that arrive in one turn of the event loop share one transaction, each in a savepoint of its
 * own so that the failure of one undoes nothing of the others, and are answered after COMMIT. Nothing else of this
 * process runs in between, so a reader never sees what is not committed.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #begin;
  readonly #commit;
  readonly #savepoint;
  readonly #release;
  readonly #undo;
  readonly #failpoints: Failpoints | undefined;
  #jobs: Job[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(db: DatabaseSync, failpoints?: Failpoints) {
    this.#db = db;
    this.#failpoints = failpoints;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#savepoint = db.prepare("SAVEPOINT change");
    this.#release = db.prepare("RELEASE change");
    this.#undo = db.prepare("ROLLBACK TO change");
  }

  /** Runs the step in the next transaction; resolves with its result after COMMIT, rejects with its error. */
  run<T>(step: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(storeClosed());
        return;
      }
      this.#jobs.push({
        step: () => {
          const result = step();
          return () => resolve(result);
        },
        fail: reject,
      });
      this.#scheduled ??= setImmediate(() => this.#flush());
    });
  }

  /** Rejects what has not been committed; later calls are rejected too. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#scheduled);
    for (const job of this.#jobs) job.fail(storeClosed());
    this.#jobs = [];
  }

  #flush(): void {
    const batch = this.#jobs.splice(0, maxBatch);
    this.#scheduled = this.#jobs.length > 0 ? setImmediate(() => this.#flush()) : undefined;
    const answers: (() => void)[] = [];
    try {
      this.#begin.run();
      for (const job of batch) answers.push(this.#attempt(job));
      this.#failpoints?.now("sqlite.commit.before");
      this.#commit.run();
    } catch (error) {
      this.#abandon(batch, error);
      return;
    }
    this.#failpoints?.now("sqlite.commit.after");
    for (const answer of answers) answer();
  }

  #attempt(job: Job): () => void {
    this.#savepoint.run();
    try {
      const answer = job.step();
      this.#release.run();
      return answer;
    } catch (error) {
      // A full disk or an I/O error ends the whole transaction; then nothing of the batch is left.
      if (!this.#db.isTransaction) throw error;
      this.#undo.run();
      this.#release.run();
      return () => job.fail(sqliteError(error));
    }
  }

  #abandon(batch: readonly Job[], error: unknown): void {
    if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec("ROLLBACK");
    for (const job of batch) job.fail(sqliteError(error));
  }
}

export function storeClosed(): CastellanError {
  return new CastellanError("unavailable", "The store is closed");
}
