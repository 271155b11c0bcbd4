import { stat, statfs } from "node:fs/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorCode } from "../failure.ts";
import { Inotify } from "./inotify.ts";
import { Watcher } from "./watcher.ts";

/** What to watch. `path` is absolute. */
export interface WatchOptions {
  readonly path: string;
  readonly recursive: boolean;
  readonly includeEntry: boolean;
  readonly allowNetworkMounts: boolean;
}

/** A watcher, and whether its changes come with a description of what they are about. */
export interface OpenWatcher {
  readonly watcher: Watcher;
  readonly includeEntry: boolean;
}

/** Most watchers at a time, streamed and polled ones. */
const maxWatchers = 256;
/** A client that went away without removing its watcher asks for nothing any more; one that lives asks every second. */
const forgottenMs = 3_600_000;

interface KeptWatcher extends OpenWatcher {
  /** When somebody asked for its changes last, by the clock of `Watchers`. */
  askedAt: number;
}

/** All watchers of the daemon: those that belong to a stream, and those that clients ask for by their id. */
export class Watchers {
  readonly #inotify = new Inotify();
  readonly #open = new Set<Watcher>();
  readonly #named = new Map<string, KeptWatcher>();
  readonly #now: () => number;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Begins to watch. Whoever opens a watcher gives it back with `close`.
   *
   * @throws ConnectError not_found, invalid_argument for what is no directory or lies on a network mount without leave,
   * failed_precondition at a limit.
   */
  async open({ path, recursive, includeEntry, allowNetworkMounts }: WatchOptions): Promise<OpenWatcher> {
    const stats = await stat(path).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") {
        throw new ConnectError(`path ${path} not found`, Code.NotFound);
      }
      throw error;
    });
    if (!stats.isDirectory()) throw new ConnectError(`path ${path} not a directory`, Code.InvalidArgument);
    if (!allowNetworkMounts && isNetworkFilesystem((await statfs(path)).type)) {
      throw new ConnectError(`cannot watch path on network filesystem: ${path}`, Code.InvalidArgument);
    }
    if (this.#open.size >= maxWatchers) this.#removeForgotten();
    if (this.#open.size >= maxWatchers) {
      throw new ConnectError(`there are ${maxWatchers} watchers already: remove some`, Code.FailedPrecondition);
    }
    const watcher = new Watcher(this.#inotify, path, recursive);
    this.#open.add(watcher);
    return { watcher, includeEntry };
  }

  close(watcher: Watcher): void {
    watcher.close();
    this.#open.delete(watcher);
  }

  /** Keeps a watcher for later requests. @returns its id. */
  keep(opened: OpenWatcher): string {
    const id = `w${process.getBuiltinModule("node:crypto").randomBytes(10).toString("hex")}`;
    this.#named.set(id, { ...opened, askedAt: this.#now() });
    return id;
  }

  /** @throws ConnectError not_found. */
  get(id: string): OpenWatcher {
    const kept = this.#named.get(id);
    if (!kept) throw new ConnectError(`watcher with id ${id} not found`, Code.NotFound);
    kept.askedAt = this.#now();
    return kept;
  }

  /** Closes a watcher that was kept. @throws ConnectError not_found. */
  remove(id: string): void {
    const { watcher } = this.get(id);
    this.#named.delete(id);
    this.close(watcher);
  }

  #removeForgotten(): void {
    for (const [id, { askedAt }] of this.#named) {
      if (this.#now() - askedAt > forgottenMs) this.remove(id);
    }
  }

  closeAll(): void {
    for (const watcher of this.#open) this.close(watcher);
    this.#named.clear();
  }
}

/** Numbers of NFS, SMB 1 to 3 and FUSE, where changes by others go unnoticed. */
const networkFilesystems: readonly number[] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546];

/** Whether `type`, as `statfs` says it, is of a file system that others may change too. */
export function isNetworkFilesystem(type: number): boolean {
  return networkFilesystems.includes(type);
}
