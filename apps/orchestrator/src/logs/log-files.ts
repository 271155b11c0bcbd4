import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@castellan/telemetry";
import { type DaemonPosition, decodeEntry, encodeEntry, type LogEntry, type LogLevel, logLevels } from "./entry.ts";

export interface LogQuery {
  readonly sandboxId: string;
  readonly teamId: string;
  /** Milliseconds since 1970, both inclusive. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly order: "forward" | "backward";
  readonly limit: number;
  readonly leastLevel: LogLevel;
  /** A part of the message. */
  readonly search: string;
}

export interface LogFilesOptions {
  /** Bytes of one file; two of them are kept per sandbox. Default 256 KiB. */
  readonly fileBytes?: number;
  /** Milliseconds for which the log of an ended sandbox is kept. Default 24 h. */
  readonly keptMs?: number;
  /** Logs of ended sandboxes that are kept at most, the newest. Default 500. */
  readonly keptLogs?: number;
  readonly logger: Logger;
}

interface Written {
  /** The newest line's time. */
  lastMs: number;
  /** How far the daemon's own log has been taken over. */
  told: DaemonPosition | undefined;
  bytes: number;
  /** The end of the last work on the files; it is done one after the other. */
  tail: Promise<void>;
}

/**
 * The logs of this node's sandboxes, in files that survive its process: two per sandbox of at most 256 KiB each, where the
 * older one goes when the newer one is full. The team stands in the directory's name, so that nobody reads another's.
 *
 * No two lines of a sandbox have the same time, and none is older than the one before it: whoever has read up to a time
 * finds everything else after it.
 */
export class LogFiles {
  readonly #directory: string;
  readonly #options: Required<LogFilesOptions>;
  readonly #written = new Map<string, Written>();

  constructor(directory: string, options: LogFilesOptions) {
    this.#directory = directory;
    this.#options = { fileBytes: 256 * 1024, keptMs: 24 * 3_600_000, keptLogs: 500, ...options };
  }

  /** Resolves when the lines are written. Never rejects: a full disk costs lines and not the sandbox. */
  append(teamId: string, sandboxId: string, entries: readonly LogEntry[]): Promise<void> {
    const written = this.#of(teamId, sandboxId);
    written.tail = written.tail
      .then(() => this.#write(this.#path(teamId, sandboxId), written, entries))
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error, sandboxId, lines: entries.length }, "cannot write a sandbox's log");
      });
    return written.tail;
  }

  /** `undefined` when nothing is kept of such a sandbox of this team. */
  async read(query: LogQuery): Promise<LogEntry[] | undefined> {
    const { teamId, sandboxId, order, limit } = query;
    const path = this.#path(teamId, sandboxId);
    const written = this.#written.get(path);
    // Between two writes: one of them may rename what is being read.
    const reading = (written?.tail ?? Promise.resolve()).then(() => bothTexts(path));
    if (written !== undefined) written.tail = reading.then(ignore, ignore);
    const texts = await reading;
    if (texts.every((text) => text === undefined)) return undefined;
    const matching = texts
      .flatMap((text) => text?.split("\n") ?? [])
      .flatMap((line) => decodeEntry(line) ?? [])
      .filter((entry) => matches(entry, query));
    if (order === "backward") matching.reverse();
    return matching.slice(0, limit);
  }

  /** How far the log of the sandbox's daemon has been taken over; `undefined` for not at all. */
  async told(teamId: string, sandboxId: string): Promise<DaemonPosition | undefined> {
    const written = this.#of(teamId, sandboxId);
    await written.tail;
    return written.told;
  }

  /** Takes away what is too old or too much; what `isLive` names stays. */
  async prune(isLive: (sandboxId: string) => boolean, now: number): Promise<void> {
    const { keptMs, keptLogs } = this.#options;
    const ended: { readonly path: string; readonly writtenMs: number }[] = [];
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const sandboxId = /^([a-z0-9]+)\./.exec(name)?.[1];
      if (sandboxId === undefined || isLive(sandboxId)) continue;
      const path = join(this.#directory, name);
      const stats = await stat(join(path, newerFile)).catch(() => undefined);
      ended.push({ path, writtenMs: stats?.mtimeMs ?? 0 });
      this.#written.delete(path);
    }
    ended.sort((a, b) => b.writtenMs - a.writtenMs);
    for (const [index, { path, writtenMs }] of ended.entries()) {
      if (index >= keptLogs || now - writtenMs > keptMs) await rm(path, { recursive: true, force: true });
    }
  }

  /** Resolves when everything that was said so far is written. */
  async flush(): Promise<void> {
    await Promise.all([...this.#written.values()].map(({ tail }) => tail));
  }

  #of(teamId: string, sandboxId: string): Written {
    const path = this.#path(teamId, sandboxId);
    let written = this.#written.get(path);
    if (written === undefined) {
      const opening: Written = { lastMs: 0, told: undefined, bytes: 0, tail: Promise.resolve() };
      opening.tail = resume(path, opening).catch((error: unknown) => {
        this.#options.logger.warn({ err: error, sandboxId }, "cannot go on with a sandbox's log");
      });
      written = opening;
      this.#written.set(path, written);
    }
    return written;
  }

  async #write(path: string, written: Written, entries: readonly LogEntry[]): Promise<void> {
    let text = "";
    const flush = async () => {
      if (text !== "") await appendFile(join(path, newerFile), text, { mode: 0o600 });
      text = "";
    };
    for (const entry of entries) {
      written.lastMs = Math.max(Math.floor(entry.timeMs), written.lastMs + 1);
      const line = encodeEntry({ ...entry, timeMs: written.lastMs });
      const bytes = Buffer.byteLength(line);
      if (written.bytes > 0 && written.bytes + bytes > this.#options.fileBytes) {
        await flush();
        await rename(join(path, newerFile), join(path, olderFile));
        written.bytes = 0;
      }
      text += line;
      written.bytes += bytes;
      written.told = entry.told ?? written.told;
    }
    await flush();
  }

  #path(teamId: string, sandboxId: string): string {
    // Ids are checked wherever they come in; what stands here keeps a mistake there from leaving the directory.
    if (!/^[a-z0-9]{1,64}$/.test(sandboxId)) return join(this.#directory, "none");
    return join(this.#directory, `${sandboxId}.${Buffer.from(teamId).toString("hex").slice(0, 128)}`);
  }
}

const newerFile = "newer.jsonl";
const olderFile = "older.jsonl";

/** Goes on where an earlier process stopped, behind a line that it may have torn. */
async function resume(path: string, written: Written): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const text = (await textOf(join(path, newerFile))) ?? "";
  written.bytes = Buffer.byteLength(text);
  for (const line of [(await textOf(join(path, olderFile))) ?? "", text].join("").split("\n")) {
    const entry = decodeEntry(line);
    written.lastMs = Math.max(written.lastMs, entry?.timeMs ?? 0);
    written.told = entry?.told ?? written.told;
  }
  if (text === "" || text.endsWith("\n")) return;
  const file = await open(join(path, newerFile), "a");
  try {
    await file.appendFile("\n");
    written.bytes += 1;
  } finally {
    await file.close();
  }
}

function bothTexts(path: string): Promise<(string | undefined)[]> {
  return Promise.all([textOf(join(path, olderFile)), textOf(join(path, newerFile))]);
}

function ignore(): void {}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function matches({ timeMs, level, message }: LogEntry, query: LogQuery): boolean {
  return (
    timeMs >= query.fromMs &&
    timeMs <= query.toMs &&
    logLevels.indexOf(level) >= logLevels.indexOf(query.leastLevel) &&
    message.includes(query.search)
  );
}
