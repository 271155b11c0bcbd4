import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { posix } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import type { AccountTable } from "../accounts.ts";
import { type Entry, entryAt } from "./entry.ts";
import { errorCode } from "./failure.ts";

/** Most entries in one answer, about 30 MB of JSON. */
export const maxEntries = 100_000;

/** How many entries are looked at in parallel: the runtime has four threads for the disk. */
const parallel = 64;

/**
 * Describes everything below `directory` down to `depth` levels, sorted by name, each directory before what is in it.
 * Symbolic links are not followed. What disappears meanwhile is left out.
 *
 * @throws ConnectError failed_precondition for more than `limit` entries; the error of `readdir` for `directory` itself.
 */
export async function listBelow(
  directory: string,
  depth: number,
  accounts: AccountTable,
  signal: AbortSignal,
  limit = maxEntries,
): Promise<Entry[]> {
  const found: Entry[] = [];

  const visit = async (parent: string, children: Dirent[], levels: number): Promise<void> => {
    if (found.length + children.length > limit) {
      throw new ConnectError(`more than ${limit} entries: list a smaller directory or depth`, Code.FailedPrecondition);
    }
    children.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (let start = 0; start < children.length; start += parallel) {
      signal.throwIfAborted();
      const batch = children.slice(start, start + parallel);
      const entries = await Promise.all(
        batch.map((child) => unlessGone(entryAt(posix.join(parent, child.name), accounts))),
      );
      for (const [index, entry] of entries.entries()) {
        if (!entry) continue;
        found.push(entry);
        if (levels === 1 || !batch[index]?.isDirectory()) continue;
        const below = await unlessGone(readdir(entry.path, { withFileTypes: true }));
        if (below) await visit(entry.path, below, levels - 1);
      }
    }
  };

  await visit(directory, await readdir(directory, { withFileTypes: true }), depth);
  return found;
}

async function unlessGone<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
