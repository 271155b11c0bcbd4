import {
  closeSync,
  copyFileSync,
  existsSync,
  fchmodSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { CastellanError } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import { decodeRecord, encodeRecord, logVersion, type StateRecord } from "./records.ts";

/**
 * An append-only file of checksummed lines, mode 0600. An append is one synchronous write, so a kill of this process
 * leaves all of it or a torn last line, which the next `open` cuts off. Nothing is fsynced: a power cut may take the
 * newest lines, but it ends every sandbox that they are about as well.
 *
 * Synchronous on purpose: what is written becomes visible in the same turn of the event loop, with nothing in between.
 */
export class StateLog {
  readonly #path: string;
  readonly #logger: Logger;
  #descriptor: number;
  #size: number;
  #compactedSize: number;

  private constructor(path: string, logger: Logger, descriptor: number, size: number) {
    this.#path = path;
    this.#logger = logger;
    this.#descriptor = descriptor;
    this.#size = size;
    this.#compactedSize = size;
  }

  /**
   * Opens or creates the log and returns what it holds, oldest first.
   * @throws `conflict` when a later version of this software has written it.
   */
  static open(path: string, logger: Logger): { readonly log: StateLog; readonly records: readonly StateRecord[] } {
    // What a compaction left that did not come to its end.
    rmSync(nextPath(path), { force: true });
    const content = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const { records, validBytes, damagedLines } = readRecords(content);
    if (damagedLines > 0) {
      copyFileSync(path, `${path}.damaged`);
      logger.error({ path, damagedLines }, "state log is damaged; a copy is kept beside it");
    } else if (validBytes < content.length) {
      logger.warn({ path, bytes: content.length - validBytes }, "cut a torn record off the state log");
    }
    const descriptor = openSync(path, existsSync(path) ? "r+" : "w+", 0o600);
    try {
      fchmodSync(descriptor, 0o600);
      ftruncateSync(descriptor, validBytes);
      const log = new StateLog(path, logger, descriptor, validBytes);
      if (validBytes === 0) log.append([{ kind: "log", version: logVersion }]);
      return { log, records };
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /**
   * Writes all of the records, or none.
   * @throws `internal` when the file cannot be written, a full disk for one.
   */
  append(records: readonly StateRecord[]): void {
    const bytes = Buffer.from(records.map(encodeRecord).join(""));
    try {
      writeFully(this.#descriptor, bytes, this.#size);
    } catch (cause) {
      this.#cutTo(this.#size);
      throw new CastellanError("internal", "The node cannot write its state", { cause });
    }
    this.#size += bytes.length;
  }

  /** Whether the file has grown enough since it was last rewritten that rewriting pays. */
  get wantsCompaction(): boolean {
    return this.#size > Math.max(4 * this.#compactedSize, compactionFloorBytes);
  }

  /** Replaces the whole content in one step. On failure the old file stays in use. */
  compact(records: readonly StateRecord[]): void {
    const next = nextPath(this.#path);
    const header: StateRecord = { kind: "log", version: logVersion };
    const bytes = Buffer.from([header, ...records].map(encodeRecord).join(""));
    let descriptor: number | undefined;
    try {
      descriptor = openSync(next, "w", 0o600);
      writeFully(descriptor, bytes, 0);
      renameSync(next, this.#path);
    } catch (error) {
      if (descriptor !== undefined) closeSync(descriptor);
      rmSync(next, { force: true });
      // Not again before the file has grown by as much once more.
      this.#compactedSize = this.#size;
      this.#logger.error({ err: error, path: this.#path }, "cannot compact the state log");
      return;
    }
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#size = bytes.length;
    this.#compactedSize = bytes.length;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #cutTo(size: number): void {
    try {
      ftruncateSync(this.#descriptor, size);
    } catch (error) {
      // The next append writes over it.
      this.#logger.error({ err: error, path: this.#path }, "cannot cut the state log");
    }
  }
}

const compactionFloorBytes = 4 * 1024 * 1024;

function nextPath(path: string): string {
  return `${path}.next`;
}

function writeFully(descriptor: number, bytes: Buffer, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written, bytes.length - written, position + written);
  }
}

/** A damaged line with others after it is skipped and counted; without any, it is the torn tail of the last write. */
function readRecords(content: Buffer): { records: StateRecord[]; validBytes: number; damagedLines: number } {
  const records: StateRecord[] = [];
  let validBytes = 0;
  let damagedLines = 0;
  let damagedSinceValid = 0;
  for (let start = 0; start < content.length; ) {
    const end = content.indexOf(0x0a, start);
    if (end === -1) break;
    const record = decodeRecord(content.toString("utf8", start, end));
    start = end + 1;
    if (record === undefined) {
      damagedSinceValid += 1;
      continue;
    }
    if (record.kind === "log" && record.version > logVersion) {
      throw new CastellanError("conflict", "The node's state was written by a later version of this software");
    }
    records.push(record);
    damagedLines += damagedSinceValid;
    damagedSinceValid = 0;
    validBytes = start;
  }
  return { records, validBytes, damagedLines };
}
