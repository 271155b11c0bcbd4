import { readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

/** The append-only file of a server's directory that is being written to. */
async function appendOnlyFile(directory: string): Promise<string> {
  const names = await readdir(directory, { recursive: true });
  const files = names.filter((name) => /appendonly\.aof(\.\d+\.incr\.aof)?$/.test(name));
  const [newest] = files.toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }));
  if (newest === undefined) throw new Error(`No append-only file in ${directory}`);
  return join(directory, newest);
}

/** Its length in bytes: every answer that a server has given stands below it. */
export async function appendOnlyLength(directory: string): Promise<number> {
  return (await stat(await appendOnlyFile(directory))).size;
}

/** Cuts the file of a server that does not run: what was written after is lost, as with its host. */
export async function cutAppendOnly(directory: string, length: number): Promise<void> {
  await truncate(await appendOnlyFile(directory), length);
}
