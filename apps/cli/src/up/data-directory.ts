import { chmod, lstat, mkdir, realpath, stat } from "node:fs/promises";
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
 * @throws Failure when it cannot be made, or as `checkDataDirectory`.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  // What sandboxes must cross is made with an explicit mode, of which a stricter mask would take the crossing away.
  process.umask(0o022);
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (error) {
    throw new Failure(`The data directory ${path} cannot be made.`, { fix: chooseAnother, cause: error });
  }
  await checkDataDirectory(path);
  const real = await realpath(path);
  if (((await lstat(real)).mode & 0o777) !== mode) await chmod(real, mode);
  return dataDirectoryAt(real);
}

/**
 * Whether the directory is there.
 * @throws Failure when it belongs to another user, is no directory or lies where others cannot cross.
 */
export async function checkDataDirectory(path: string): Promise<boolean> {
  const there = await realpath(path).catch(() => undefined);
  if (there !== undefined) {
    const found = await lstat(there);
    if (!found.isDirectory()) throw new Failure(`${path} is not a directory.`, { fix: chooseAnother });
    if (found.uid !== process.getuid?.()) {
      throw new Failure(`The data directory ${path} belongs to another user.`, { fix: chooseAnother });
    }
  }
  await requireCrossable(dirname(there ?? path));
  return there !== undefined;
}

const chooseAnother = "Choose another with --data or CASTELLAN_DATA.";

async function requireCrossable(directory: string): Promise<void> {
  for (let path = directory; path !== "/"; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || (found.mode & 0o001) !== 0) continue;
    throw new Failure(`${path} is closed to other users, and what runs in a sandbox must be able to cross it.`, {
      fix: "Choose a data directory elsewhere with --data or CASTELLAN_DATA, such as /var/lib/castellan.",
    });
  }
}
