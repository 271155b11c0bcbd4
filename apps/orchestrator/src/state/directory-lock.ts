import { DatabaseSync } from "node:sqlite";
import { CastellanError } from "@castellan/domain";

/** A lock that is held until released, or until this process ends in any way. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Makes sure that one process works in a directory. The kernel holds the lock (an exclusive one of SQLite's on an empty
 * file) and gives it up when the process is killed; started programs do not inherit it.
 * @throws `conflict` when another has it.
 */
export function lockDirectory(lockFile: string): DirectoryLock {
  const database = new DatabaseSync(lockFile, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    throw new CastellanError("conflict", `Another node process works in this state directory (${lockFile})`, { cause });
  }
  return { release: () => database.close() };
}
