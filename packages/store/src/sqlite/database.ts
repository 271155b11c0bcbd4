import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { CastellanError, type Epoch, type Failpoints, type Micros, nextEpoch, type Revision } from "@castellan/domain";
import { createClock } from "../clock.ts";
import { otherCluster } from "../cluster-name.ts";
import { number, optionalNumber } from "../decoding.ts";
import { isBusy, sqliteError } from "./errors.ts";
import { GroupCommit, storeClosed } from "./group-commit.ts";
import { LastEvents } from "./last-events.ts";
import { migrations } from "./schema.ts";

export type Row = Record<string, SQLOutputValue>;

/**
 * What an acknowledged write survives: `full` the kill of any process and power loss, `normal` the kill of any process
 * (a power loss may take the last commits, never the file's consistency).
 */
export type Synchronous = "full" | "normal";

/** One open database file: its statements, its clock, its epoch and its transactions. */
export class Database {
  /** Now, by the clock of the store. */
  readonly now: () => Micros;
  /** The incarnation of the store: a new one at each open. */
  epoch: Epoch;
  readonly lastEvents = new LastEvents();
  readonly #db: DatabaseSync;
  readonly #commits: GroupCommit;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens or creates the file (mode 0600) and locks it for as long as it is open.
   * @throws `unavailable` when another process has it open; `internal` when it cannot be opened or is of a newer version.
   */
  constructor(path: string, synchronous: Synchronous, clock: () => Micros = createClock(), failpoints?: Failpoints) {
    this.#db = openFile(path, synchronous);
    try {
      migrate(this.#db, path);
      this.now = clock;
      this.#commits = new GroupCommit(this.#db, failpoints);
      this.epoch = this.#beginEpoch(this.#highestRevision());
    } catch (error) {
      this.#db.close();
      throw sqliteError(error);
    }
  }

  /** Gives the store to this cluster, if it has none. @throws `internal` when it is another's. */
  belongTo(cluster: string, path: string): void {
    const name = Number.parseInt(cluster, 16);
    const known = optionalNumber(this.get("SELECT value FROM facts WHERE name = 'cluster'")?.["value"]);
    if (known === undefined) this.run("INSERT INTO facts (name, value) VALUES ('cluster', ?)", name);
    else if (known !== name) throw otherCluster(`The database ${path}`, "delete its fact named cluster.");
  }

  /** Runs the step in a transaction that it may share, and answers after COMMIT. */
  write<T>(step: () => T): Promise<T> {
    return this.#commits.run(step);
  }

  /** Runs a read; there is never an open transaction of another step while it runs. */
  async read<T>(step: () => T): Promise<T> {
    if (!this.#db.isOpen) throw storeClosed();
    try {
      return step();
    } catch (error) {
      throw sqliteError(error);
    }
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values);
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** In a write step: a new epoch above `known`, if that is not below this one. */
  raiseEpoch(known: Epoch | Revision): Epoch {
    return known < this.epoch ? this.epoch : this.#beginEpoch(known);
  }

  close(): void {
    if (!this.#db.isOpen) return;
    this.#commits.close();
    this.#statements.clear();
    try {
      // Leaves one file behind; if that fails the log stays and is read at the next open.
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      this.#db.close();
    }
  }

  #beginEpoch(known: Revision): Epoch {
    const stored = optionalNumber(this.get("SELECT value FROM facts WHERE name = 'epoch'")?.["value"]) ?? 0;
    this.epoch = nextEpoch(this.now(), stored, known);
    this.run("INSERT OR REPLACE INTO facts (name, value) VALUES ('epoch', ?)", this.epoch);
    return this.epoch;
  }

  #highestRevision(): Revision {
    const sql = "SELECT max(max(metadata_revision, end_revision, egress_revision)) AS highest FROM sandboxes";
    return optionalNumber(this.get(sql)?.["highest"]) ?? 0;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function openFile(path: string, synchronous: Synchronous): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    makeFile(path);
    chmodSync(path, 0o600);
    db = new DatabaseSync(path, { timeout: 250 });
    // Exclusive before WAL: the lock is held until close, and the log needs no shared memory.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(`PRAGMA synchronous = ${synchronous === "full" ? "FULL" : "NORMAL"}`);
    // The log is written back every 16 MiB and cut after bursts; page cache of 64 MiB.
    db.exec("PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536");
    return db;
  } catch (error) {
    db?.close();
    if (isBusy(error)) {
      throw new CastellanError("unavailable", `The database ${path} is open in another process`, { cause: error });
    }
    throw new CastellanError("internal", `The database ${path} cannot be opened`, { cause: error });
  }
}

/**
 * Makes the file with its mode before SQLite opens it. One that is there is not opened: closing it would drop the lock of
 * a store that this very process has open on it, for such is the way of POSIX locks.
 */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

function migrate(db: DatabaseSync, path: string): void {
  const version = number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    throw new CastellanError("internal", `The database ${path} was written by a newer version of Castellan`);
  }
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN IMMEDIATE; ${step} PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
