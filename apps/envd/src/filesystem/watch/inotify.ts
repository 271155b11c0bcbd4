import { closeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inotifyAdd, inotifyInit, inotifyRemove, readBlocking } from "../../libc.ts";
import { errorCode } from "../failure.ts";

/** Bits of what happened, as the kernel numbers them. */
export const happened = {
  modified: 0x2,
  attributes: 0x4,
  movedFrom: 0x40,
  movedTo: 0x80,
  created: 0x100,
  deleted: 0x200,
  deletedSelf: 0x400,
  movedSelf: 0x800,
  /** The watch is over. */
  ignored: 0x8000,
  /** It happened to a directory. */
  isDirectory: 0x4000_0000,
} as const;

/** Hears what happens in directories. */
export interface Listener {
  /** `name` is the entry's in the directory of `watch`; "" for the directory itself. */
  onEvent(watch: number, bits: number, name: string): void;
  /** All is told that had happened when the events before these were told. */
  onCaughtUp(): void;
  /** Events were lost: no statement about the directories holds any more. */
  onLost(cause: unknown): void;
}

const [overflow, onlyDirectories, dontFollow] = [0x4000, 0x0100_0000, 0x0200_0000];

const wanted =
  happened.modified |
  happened.attributes |
  happened.movedFrom |
  happened.movedTo |
  happened.created |
  happened.deleted |
  happened.deletedSelf |
  happened.movedSelf |
  onlyDirectories;

const bufferBytes = 64 * 1024;
const headerBytes = 16;
const longestEventBytes = headerBytes + 256;
const maxFailures = 5;

/**
 * Watches directories through one queue of the kernel for the whole daemon: a user has few of them. While anything is
 * watched, a thread of the pool waits at the queue.
 */
export class Inotify {
  readonly #listeners = new Map<number, Set<Listener>>();
  #fd: number | undefined;

  /** How many directories are watched. */
  get size(): number {
    return this.#listeners.size;
  }

  /**
   * Begins to watch a directory. A symbolic link is followed only where `follow` says so.
   * @returns the watch, the same one for all who watch this directory.
   * @throws SystemCallError ENOTDIR, ENOENT, ENOSPC or EMFILE at a limit of the system …
   */
  add(path: string, follow: boolean, listener: Listener): number {
    const fd = this.#fd ?? inotifyInit();
    try {
      const watch = inotifyAdd(fd, path, follow ? wanted : wanted | dontFollow);
      const listeners = this.#listeners.get(watch);
      if (listeners) listeners.add(listener);
      else this.#listeners.set(watch, new Set([listener]));
      if (this.#fd === undefined) void this.#read(fd);
      this.#fd = fd;
      return watch;
    } catch (error) {
      if (this.#fd === undefined) closeSync(fd);
      throw error;
    }
  }

  remove(watch: number, listener: Listener): void {
    const listeners = this.#listeners.get(watch);
    if (!listeners?.delete(listener) || listeners.size > 0) return;
    this.#listeners.delete(watch);
    // The kernel says so in the queue, which wakes the thread that waits there.
    if (this.#fd !== undefined) inotifyRemove(this.#fd, watch);
  }

  async #read(fd: number): Promise<void> {
    const buffer = Buffer.alloc(bufferBytes);
    let failures = 0;
    while (this.#listeners.size > 0) {
      try {
        const length = await readBlocking(fd, buffer);
        failures = 0;
        this.#dispatch(buffer.subarray(0, length));
        // With room left for another event, there was no other.
        if (length <= buffer.length - longestEventBytes) {
          for (const listener of this.#everybody()) listener.onCaughtUp();
        }
      } catch (error) {
        // A signal may have interrupted it.
        if (++failures >= maxFailures) this.#lose(error);
        else await sleep(failures);
      }
    }
    this.#fd = undefined;
    closeSync(fd);
  }

  #dispatch(events: Buffer): void {
    for (let at = 0; at + headerBytes <= events.length; ) {
      const watch = events.readInt32LE(at);
      const bits = events.readUInt32LE(at + 4);
      const end = at + headerBytes + events.readUInt32LE(at + 12);
      const padded = events.subarray(at + headerBytes, end);
      const length = padded.indexOf(0);
      const name = padded.subarray(0, length < 0 ? padded.length : length).toString("utf8");
      at = end;
      if (bits & overflow) this.#lose(new Error("the kernel's queue of events was full"));
      const listeners = this.#listeners.get(watch);
      if (bits & happened.ignored) this.#listeners.delete(watch);
      for (const listener of listeners ?? []) listener.onEvent(watch, bits, name);
    }
  }

  #lose(cause: unknown): void {
    for (const listener of this.#everybody()) listener.onLost(cause);
  }

  #everybody(): Set<Listener> {
    const everybody = new Set<Listener>();
    for (const listeners of this.#listeners.values()) for (const listener of listeners) everybody.add(listener);
    return everybody;
  }
}

/** Whether a directory could not be watched because it is none, or none any more. */
export function isGone(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP"].includes(errorCode(error) ?? "");
}
