import { constants } from "node:fs";
import { chmod, lstat, mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../failure.ts";

/** Where one installation keeps its state. Everything in it is only for its owner. */
export interface DataDirectory {
  readonly path: string;
  readonly apiKeyFile: string;
  readonly clusterTokenFile: string;
  readonly database: string;
  readonly lockFile: string;
  /** Who holds the lock, for people and for the other commands; see `instance-lock.ts`. */
  readonly runningFile: string;
  nodeDirectory(index: number): string;
}

/** The names below `path`; nothing is looked at or made. */
export function dataDirectoryAt(path: string): DataDirectory {
  return {
    path,
    apiKeyFile: join(path, "api-key"),
    clusterTokenFile: join(path, "cluster-token"),
    database: join(path, "castellan.db"),
    lockFile: join(path, "lock"),
    runningFile: join(path, "running.json"),
    nodeDirectory: (index) => join(path, "nodes", String(index)),
  };
}

/**
 * Makes the directory with mode 0700 if it is missing and closes it to others if it is not.
 * @throws Failure when it cannot be made, belongs to another user or is no directory.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Failure(`The data directory ${path} cannot be made.`, {
      fix: "Choose another with --data or CASTELLAN_DATA.",
      cause: error,
    });
  }
  const real = await realpath(path);
  const { mode, uid } = await lstat(real);
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR) throw new Failure(`${path} is not a directory.`);
  if (uid !== process.getuid?.()) {
    throw new Failure(`The data directory ${path} belongs to another user.`, {
      fix: "Choose another with --data or CASTELLAN_DATA.",
    });
  }
  if ((mode & 0o077) !== 0) await chmod(real, 0o700);
  return dataDirectoryAt(real);
}
