import type { Failpoints } from "@castellan/domain";

/** What the store logs to; pino's loggers fit. */
export interface StoreLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface StoreOptions {
  readonly logger: StoreLogger;
  /**
   * Names the cluster whose store this is, as `clusterName` makes it. The first to open a store with a name gives it that
   * name; with another one it is refused. Default: whatever cluster's it is.
   */
  readonly cluster?: string;
  /** Milliseconds after its commit at which an edit that no node has confirmed is due for a push; default 1,000. */
  readonly pushGraceMs?: number;
  /** Where a test steps in. */
  readonly failpoints?: Failpoints;
}

export const defaultPushGraceMs = 1000;

/** How long an operation id is known, in ms: 10 minutes and some. */
export const operationKeptMs = 11 * 60_000;

/**
 * What a record may be given before every node has reported, as one edit: keys, and the bytes of what a store writes of
 * it. More waits for the nodes.
 */
export const ownEditLimits = { keys: 1024, bytes: 512 * 1024 } as const;
/** How long an idempotency key is known, in ms; of one sandbox the newest so many. */
export const idempotencyKeptMs = 24 * 3_600_000;
export const idempotencyKeys = 10_000;

/** What is kept of the metadata that commands with an idempotency key ended with: maps and bytes of one sandbox. */
export const outcomesKept = { maps: 1_000, bytes: 1024 * 1024 };

/** How long a removed execution is remembered, in ms: 24 h and some. */
export const tombstoneKeptMs = 48 * 3_600_000;

/** Index entries that one uninterrupted step of a listing looks at: some 3 ms of a Redis server's time. */
export const candidatesPerStep = 500;

/** Index entries that counting looks at before it gives up. */
export const candidatesPerCount = 10_000;

/** How long a listing goes on looking for a full page, in ms. */
export const listDeadlineMs = 5000;

/** When a transitional state is settled that came without a deadline, in ms. */
export const defaultStateDeadlineMs = 60_000;
