import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Failure } from "../failure.ts";

/** Who holds a lock, for people and for the other commands. */
export interface Holder {
  readonly pid: number;
  readonly startedAt: string;
  /** The origin that it serves, once it does. */
  readonly url?: string;
}

/** A lock that is held until `release` or the end of the process, whichever comes first. */
export interface InstanceLock {
  /** Tells the others what this process serves. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

export interface LockFiles {
  readonly lockFile: string;
  readonly runningFile: string;
}

/**
 * Takes the lock of a directory, so that only one process works in it. The kernel holds it (an exclusive lock of
 * SQLite's on an empty file), so one that was killed leaves nothing stale, and two that start at once cannot both get
 * it, which a file with a process id in it could not promise. That file exists besides, for the message.
 * @throws Failure naming the holder.
 */
export async function takeInstanceLock(files: LockFiles, what: string): Promise<InstanceLock> {
  const database = new DatabaseSync(files.lockFile, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw error;
    throw await alreadyRunning(files, what);
  }
  const startedAt = new Date().toISOString();
  const note = (holder: Holder) => replaceFile(files.runningFile, `${JSON.stringify(holder)}\n`);
  await note({ pid: process.pid, startedAt });
  return {
    announce: (url) => note({ pid: process.pid, startedAt, url }),
    release: async () => {
      await rm(files.runningFile, { force: true });
      database.close();
    },
  };
}

/**
 * The process that last took the lock, or `undefined` when it gave it back or is not alive. For messages and defaults
 * only: whether the lock is free is known by taking it.
 */
export async function readHolder(runningFile: string): Promise<Holder | undefined> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(runningFile, "utf8"));
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  if (!("pid" in parsed) || typeof parsed.pid !== "number" || !isAlive(parsed.pid)) return undefined;
  const url = "url" in parsed && typeof parsed.url === "string" ? parsed.url : undefined;
  const startedAt = "startedAt" in parsed && typeof parsed.startedAt === "string" ? parsed.startedAt : "";
  return { pid: parsed.pid, startedAt, ...(url === undefined ? {} : { url }) };
}

async function alreadyRunning(files: LockFiles, what: string): Promise<Failure> {
  const holder = await readHolder(files.runningFile);
  const who =
    holder === undefined ? "" : ` (process ${holder.pid}${holder.url === undefined ? "" : `, ${holder.url}`})`;
  const stop = holder === undefined ? "Stop it first" : `Stop it first (kill -INT ${holder.pid})`;
  return new Failure(`${what} is already running on ${dirname(files.lockFile)}${who}.`, {
    fix: `${stop}, or choose another directory with --data.`,
  });
}

function isBusy(error: unknown): boolean {
  // SQLITE_BUSY
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function replaceFile(path: string, content: string): Promise<void> {
  const draft = join(dirname(path), `.running-${process.pid}`);
  await writeFile(draft, content, { mode: 0o600 });
  await rename(draft, path);
}
