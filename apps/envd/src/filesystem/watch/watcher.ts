import { readdirSync } from "node:fs";
import { posix } from "node:path";
import { EventType } from "@castellan/contracts/filesystem";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorCode } from "../failure.ts";
import { happened, type Inotify, isGone, type Listener } from "./inotify.ts";

/** Something that happened below a watched directory. */
export interface Change {
  /** Path from the watched directory; "." for that itself. */
  readonly name: string;
  readonly type: EventType;
}

/** How much may be watched and may wait to be taken. */
export interface WatchLimits {
  /** Directories, over all watchers. */
  readonly directories: number;
  /** Changes that wait in one watcher. */
  readonly pending: number;
}

export const standardWatchLimits: WatchLimits = { directories: 10_000, pending: 10_000 };

/**
 * Watches a directory, and with `recursive` all below it, including what is added later; symbolic links below are not
 * followed. Changes wait until they are taken. When some were lost, or more wait than may, the watcher fails: who takes
 * from it gets the error, and what it held is free.
 */
export class Watcher implements Listener {
  readonly root: string;
  readonly #inotify: Inotify;
  readonly #recursive: boolean;
  readonly #limits: WatchLimits;
  /** Watched directories by the kernel's number, each with its path from the root; "" is the root. */
  readonly #directories = new Map<number, string>();
  /**
   * Entries that were there when their new directory was first looked at, and were told then. The kernel may tell of them
   * as well, but not after all is told that had happened by then: these are from the present round of events and the last.
   */
  #announced = new Set<string>();
  #announcedBefore = new Set<string>();
  #changes: Change[] = [];
  #closed = false;
  #failure: ConnectError | undefined;
  #wake: (() => void) | undefined;

  /**
   * Begins to watch the directory at `root`, an absolute path.
   *
   * @throws ConnectError not_found, invalid_argument when it is no directory, failed_precondition at a limit.
   */
  constructor(inotify: Inotify, root: string, recursive: boolean, limits = standardWatchLimits) {
    this.root = root;
    this.#inotify = inotify;
    this.#recursive = recursive;
    this.#limits = limits;
    this.#cover("", false);
    if (this.#failure) throw this.#failure;
    if (this.#directories.size === 0) throw new ConnectError(`path ${root} not found`, Code.NotFound);
  }

  /**
   * What has happened since this was last called; waits up to `waitMs` for the first change and then comes back with
   * none. Undefined once the watcher is closed.
   *
   * @throws ConnectError data_loss when changes were lost, failed_precondition when too many waited or there is too much
   * to watch.
   */
  async take(waitMs = 0): Promise<Change[] | undefined> {
    if (this.#changes.length === 0 && !this.#closed && waitMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
    if (this.#failure) throw this.#failure;
    return this.#closed ? undefined : this.#changes.splice(0);
  }

  /** Watches no longer. Whoever waits for changes hears that there are no more. */
  close(): void {
    this.#closed = true;
    for (const watch of this.#directories.keys()) this.#inotify.remove(watch, this);
    this.#directories.clear();
    this.#announced.clear();
    this.#announcedBefore.clear();
    this.#changes = [];
    this.#wake?.();
  }

  onEvent(watch: number, bits: number, name: string): void {
    const directory = this.#directories.get(watch);
    if (directory === undefined) return;
    if (bits & happened.ignored) {
      this.#directories.delete(watch);
      return;
    }
    if (name === "") {
      // What happens to a directory below the root is told by the one that it is in.
      if (directory === "") this.#tell(".", typeOf(bits));
      return;
    }
    const path = posix.join(directory, name);
    const type = typeOf(bits);
    const wasAnnounced = this.#announced.has(path) || this.#announcedBefore.has(path);
    if (wasAnnounced && type !== EventType.WRITE && type !== EventType.CHMOD) {
      this.#announced.delete(path);
      this.#announcedBefore.delete(path);
      if (type === EventType.CREATE) return;
    }
    this.#tell(path, type);
    if (!this.#recursive || !(bits & happened.isDirectory)) return;
    if (type === EventType.CREATE) this.#cover(path, (bits & happened.created) !== 0);
    if (type === EventType.RENAME) this.#uncover(path);
  }

  onCaughtUp(): void {
    if (this.#announced.size + this.#announcedBefore.size === 0) return;
    this.#announcedBefore = this.#announced;
    this.#announced = new Set();
  }

  onLost(cause: unknown): void {
    const message = "there were more changes at once than could be followed, and some were lost: watch again";
    this.#fail(new ConnectError(message, Code.DataLoss, undefined, undefined, cause));
  }

  #tell(name: string, type: EventType): void {
    if (this.#closed || type === EventType.UNSPECIFIED) return;
    if (this.#changes.length >= this.#limits.pending) {
      this.#fail(
        new ConnectError(
          `${this.#limits.pending} changes were not taken in time: watch again`,
          Code.FailedPrecondition,
        ),
      );
      return;
    }
    this.#changes.push({ name, type });
    this.#wake?.();
  }

  /** Watches a directory, and what is below. With `announce`, that is told as if it had been created just now. */
  #cover(path: string, announce: boolean): void {
    if (this.#closed) return;
    const absolute = posix.join(this.root, path);
    if (this.#inotify.size >= this.#limits.directories) {
      const message = `more than ${this.#limits.directories} directories to watch: watch less`;
      this.#fail(new ConnectError(message, Code.FailedPrecondition));
      return;
    }
    try {
      this.#directories.set(this.#inotify.add(absolute, path === "", this), path);
    } catch (error) {
      if (!isGone(error)) this.#fail(watchFailure(absolute, error));
      return;
    }
    if (!this.#recursive) return;
    for (const entry of entriesOf(absolute)) {
      const child = posix.join(path, entry.name);
      if (announce) {
        this.#announced.add(child);
        this.#tell(child, EventType.CREATE);
      }
      if (entry.isDirectory()) this.#cover(child, announce);
    }
  }

  #uncover(path: string): void {
    for (const [watch, directory] of this.#directories) {
      if (directory !== path && !directory.startsWith(`${path}/`)) continue;
      this.#directories.delete(watch);
      this.#inotify.remove(watch, this);
    }
  }

  #fail(failure: ConnectError): void {
    if (this.#closed) return;
    this.#failure = failure;
    this.close();
  }
}

function typeOf(bits: number): EventType {
  if (bits & (happened.created | happened.movedTo)) return EventType.CREATE;
  if (bits & happened.modified) return EventType.WRITE;
  if (bits & (happened.deleted | happened.deletedSelf)) return EventType.REMOVE;
  if (bits & (happened.movedFrom | happened.movedSelf)) return EventType.RENAME;
  if (bits & happened.attributes) return EventType.CHMOD;
  return EventType.UNSPECIFIED;
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    // Gone in the meantime.
    return [];
  }
}

function watchFailure(path: string, error: unknown): ConnectError {
  const atLimit = ["ENOSPC", "EMFILE", "ENOMEM"].includes(errorCode(error) ?? "");
  const reason = atLimit ? "the system's limit of watches is reached" : "unexpected error";
  const code = atLimit ? Code.FailedPrecondition : Code.Internal;
  return new ConnectError(`cannot watch ${path}: ${reason}`, code, undefined, undefined, error);
}
