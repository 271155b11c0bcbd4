import { chmod, lstat, mkdir, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Failure } from "../failure.ts";

/**
 * Where one installation keeps its state. Others can cross it, because the root of a sandbox is an ordinary user of the
 * host and must reach its own files below; they can neither list nor read it, and every secret in it has mode 0600.
 */
export interface DataDirectory {
  readonly path: string;
  readonly apiKeyFile: string;
  readonly clusterTokenFile: string;
  readonly database: string;
  readonly lockFile: string;
  /** Who holds the lock, for people and for the other commands; see `instance-lock.ts`. */
  readonly runningFile: string;
  /** Holds one directory per node. */
  readonly nodesDirectory: string;
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
    nodesDirectory: join(path, "nodes"),
    nodeDirectory: (index) => join(path, "nodes", String(index)),
  };
}

const mode = 0o711;

/**
 * Makes the directory if it is missing, and closes it to others as far as that may be.
 * @throws Failure when it cannot be made, belongs to another user, is no directory or lies where others cannot cross.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (error) {
    throw new Failure(`The data directory ${path} cannot be made.`, {
      fix: "Choose another with --data or CASTELLAN_DATA.",
      cause: error,
    });
  }
  const real = await realpath(path);
  const found = await lstat(real);
  if (!found.isDirectory()) throw new Failure(`${path} is not a directory.`);
  if (found.uid !== process.getuid?.()) {
    throw new Failure(`The data directory ${path} belongs to another user.`, {
      fix: "Choose another with --data or CASTELLAN_DATA.",
    });
  }
  if ((found.mode & 0o777) !== mode) await chmod(real, mode);
  await requireCrossable(dirname(real));
  return dataDirectoryAt(real);
}

async function requireCrossable(directory: string): Promise<void> {
  for (let path = directory; path !== "/"; path = dirname(path)) {
    if (((await lstat(path)).mode & 0o001) !== 0) continue;
    throw new Failure(`${path} is closed to other users, and what runs in a sandbox must be able to cross it.`, {
      fix: "Choose a data directory elsewhere with --data or CASTELLAN_DATA, such as /var/lib/castellan.",
    });
  }
}
