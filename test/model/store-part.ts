import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { SandboxRecord } from "@castellan/domain";
import { createLogger } from "@castellan/telemetry";
import { Database } from "../../packages/store/src/sqlite/database.ts";
import { SqliteStore } from "../../packages/store/src/sqlite/sqlite-store.ts";
import { type Answer, answerOf } from "./answer.ts";
import { canonical, Interner, nameOf } from "./canonical.ts";

type Value = SQLOutputValue & SQLInputValue;
interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
}
type Content = Readonly<Record<string, Table>>;

export interface StoreStep {
  readonly store: number;
  readonly answer: Answer;
}

/**
 * The real SQLite store as a function from content and command to content and answer. Contents are numbered; what a
 * command does to one is worked out by the real code once.
 */
export class StorePart {
  readonly #dir: string;
  readonly #contents = new Interner<Content>();
  readonly #steps = new Map<string, Promise<StoreStep>>();
  readonly #records = new Map<string, Promise<SandboxRecord | undefined>>();
  #now = 0;
  #db: Database;
  #store: SqliteStore;
  #loaded: Content;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(dir: string) {
    this.#dir = dir;
    this.#db = this.#openDatabase();
    this.#store = this.#overDatabase();
    this.#loaded = this.#dump();
  }

  static async open(): Promise<StorePart> {
    // In memory where there is such a place: states are put in and taken out all the time.
    const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    return new StorePart(await mkdtemp(join(base, "castellan-model-")));
  }

  get size(): number {
    return this.#contents.size;
  }

  /** For knowing its methods. */
  get store(): SqliteStore {
    return this.#store;
  }

  /** An empty store that was just opened. */
  fresh(now: number): Promise<number> {
    return this.#alone(async () => {
      this.#load({});
      return this.#reopen(now);
    });
  }

  /** The content after the store's process was started again over it: a new incarnation. */
  reopened(store: number, now: number): Promise<number> {
    return this.#alone(async () => {
      this.#load(this.#contents.value(store));
      return this.#reopen(now);
    });
  }

  /** What one call does. Calls of one content, clock, method and arguments are the same call. */
  run(store: number, now: number, method: string, args: readonly unknown[]): Promise<StoreStep> {
    const key = `${store} ${now} ${method} ${nameOf(args)}`;
    let step = this.#steps.get(key);
    if (step === undefined) {
      step = this.#alone(async () => {
        this.#load(this.#contents.value(store));
        this.#now = now;
        const call: unknown = Reflect.get(this.#store, method);
        if (typeof call !== "function") throw new Error(`the store has no ${method}`);
        const answer = await answerOf(Promise.resolve(Reflect.apply(call, this.#store, args)));
        return { store: this.#taken(), answer };
      });
      this.#steps.set(key, step);
    }
    return step;
  }

  record(store: number, sandboxId: string): Promise<SandboxRecord | undefined> {
    const key = `${store} ${sandboxId}`;
    let record = this.#records.get(key);
    if (record === undefined) {
      record = this.#alone(async () => {
        this.#load(this.#contents.value(store));
        return this.#store.locate(sandboxId);
      });
      this.#records.set(key, record);
    }
    return record;
  }

  /** The content with some rows written over, for guards that are taken away. */
  altered(store: number, sql: string): Promise<number> {
    return this.#alone(async () => {
      this.#load(this.#contents.value(store));
      this.#db.run(sql);
      return this.#taken();
    });
  }

  async close(): Promise<void> {
    this.#db.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** One at a time: there is one database. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  #taken(): number {
    this.#loaded = this.#dump();
    return this.#contents.id(this.#loaded);
  }

  #reopen(now: number): number {
    this.#now = now;
    this.#db.close();
    this.#db = this.#openDatabase();
    this.#store = this.#overDatabase();
    return this.#taken();
  }

  #openDatabase(): Database {
    return new Database(join(this.#dir, "store.db"), "normal", () => this.#now);
  }

  #overDatabase(): SqliteStore {
    return new SqliteStore(this.#db, "normal", { logger: createLogger("model", "silent"), pushGraceMs: 0 });
  }

  #dump(): Content {
    const content: Record<string, Table> = {};
    for (const { name } of this.#db.all(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )) {
      const rows = this.#db.all(`SELECT * FROM ${String(name)}`);
      if (rows.length === 0) continue;
      content[String(name)] = { columns: Object.keys(rows[0] ?? {}), rows: rows.map((row) => Object.values(row)) };
    }
    return content;
  }

  #load(content: Content): void {
    for (const name of new Set([...Object.keys(this.#loaded), ...Object.keys(content)])) {
      const [before, after] = [this.#loaded[name], content[name]];
      if (before === after || canonical(before) === canonical(after)) continue;
      this.#db.run(`DELETE FROM ${name}`);
      if (after === undefined) continue;
      const places = after.columns.map(() => "?").join();
      for (const row of after.rows) {
        this.#db.run(`INSERT INTO ${name} (${after.columns.join()}) VALUES (${places})`, ...row);
      }
    }
    this.#loaded = content;
    const epoch = content["facts"]?.rows.find(([name]) => name === "epoch")?.[1];
    if (typeof epoch === "number") this.#db.epoch = epoch;
  }
}
