import { closeSync, openSync, readSync, statSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";
import type { RunCommand } from "../host/command.ts";
import { seek } from "../host/kernel.ts";

/** An empty file system's content: a few pieces in a file that is otherwise a hole. */
interface BlankImage {
  readonly bytes: number;
  readonly pieces: readonly { readonly offset: number; readonly data: Buffer }[];
}

const unfinishedName = /^blank-\d+\.img$/;
const mebibyte = 1024 * 1024;
const remembered = 16;

/**
 * Writes sparse ext4 images. A file system of each size is made once and kept in memory, about half a MiB per GiB of
 * size, so that another image of that size costs a few writes and no process.
 */
export class BlankImages {
  readonly #directory: string;
  readonly #run: RunCommand;
  readonly #made = new Map<number, Promise<BlankImage>>();

  /** `directory` takes the short-lived files. */
  constructor(directory: string, run: RunCommand) {
    this.#directory = directory;
    this.#run = run;
  }

  /** @throws `internal` when the file cannot be made. */
  async write(path: string, sizeMb: number): Promise<void> {
    const image = await this.#ofSize(sizeMb);
    const file = await open(path, "wx", 0o600);
    try {
      await file.truncate(image.bytes);
      for (const { offset, data } of image.pieces) await file.write(data, 0, data.length, offset);
    } finally {
      await file.close();
    }
  }

  #ofSize(sizeMb: number): Promise<BlankImage> {
    const made = this.#made.get(sizeMb) ?? this.#make(sizeMb);
    // The most recently used is last, the first is forgotten.
    this.#made.delete(sizeMb);
    this.#made.set(sizeMb, made);
    const [oldest] = this.#made.keys();
    if (this.#made.size > remembered && oldest !== undefined) this.#made.delete(oldest);
    made.catch(() => this.#made.delete(sizeMb));
    return made;
  }

  async #make(sizeMb: number): Promise<BlankImage> {
    const path = join(this.#directory, `blank-${sizeMb}.img`);
    await rm(path, { force: true });
    try {
      await this.#run("truncate", ["-s", `${sizeMb}M`, path]);
      await this.#run("mkfs.ext4", [...mkfsArguments(sizeMb), path], { timeoutMs: 60_000 });
      return readPieces(path);
    } catch (cause) {
      throw new CastellanError("internal", "A disk image could not be made", { cause });
    } finally {
      await rm(path, { force: true });
    }
  }
}

/** Removes what a process that was killed while it made an image has left. */
export async function removeUnfinishedImages(directory: string): Promise<void> {
  const left = (await readdir(directory)).filter((name) => unfinishedName.test(name));
  await Promise.all(left.map((name) => rm(join(directory, name), { force: true })));
}

/**
 * The journal stays: copies of a live disk were corrupt without one. One inode per 16 KiB, between 16,384 and 2 million,
 * so that small disks can hold a source tree.
 */
export function mkfsArguments(sizeMb: number): string[] {
  const inodes = Math.min(Math.max(sizeMb * 64, 16_384), 2_000_000);
  const extended = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";
  return ["-q", "-F", "-J", "size=4", "-m", "0", "-N", String(inodes), "-E", extended];
}

function readPieces(path: string): BlankImage {
  const fd = openSync(path, "r");
  try {
    const pieces: { offset: number; data: Buffer }[] = [];
    for (let start = seek(fd, 0, "data"); start !== undefined; ) {
      const end = seek(fd, start, "hole") ?? statSync(path).size;
      const data = Buffer.alloc(Math.min(end - start, mebibyte));
      readSync(fd, data, 0, data.length, start);
      // Blocks that were written as zeros are holes too.
      if (data.some((byte) => byte !== 0)) pieces.push({ offset: start, data });
      start = seek(fd, start + data.length, "data");
    }
    if (pieces.length === 0) throw new Error("a new file system has no content");
    return { bytes: statSync(path).size, pieces };
  } finally {
    closeSync(fd);
  }
}
