import { createHash } from "node:crypto";
import { chmod, copyFile, link, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CastellanError } from "@castellan/domain";
import { ensureDirectory, makeDirectory } from "./host/directories.ts";
import type { RuntimeOptions } from "./sandbox-runtime.ts";

/**
 * Gathers the daemon's files in one directory that sandboxes mount: Node, the bundle, native modules that lie beside it
 * (`*.node`, which it finds beside itself there as well), and the init. Its name follows from what the files are: a node
 * that comes back with a newer daemon gets another directory, and running sandboxes keep theirs.
 * @returns the directory's absolute path.
 * @throws `invalid_argument` when a file is missing.
 */
export async function stageDaemon(stateDir: string, daemon: RuntimeOptions["daemon"]): Promise<string> {
  const files: readonly (readonly [name: string, path: string])[] = [
    ["node", daemon.nodeBinary],
    ["daemon.mjs", daemon.bundle],
    ["init", daemon.init],
    ...(await nativeModules(daemon.bundle)).map((path) => [basename(path), path] as const),
  ];
  const parent = join(stateDir, "daemon");
  await ensureDirectory(parent, 0o711);
  const directory = join(parent, await versionOf(files.map(([, path]) => path)));
  if ((await stat(directory).catch(() => undefined)) !== undefined) return directory;

  const unfinished = `${directory}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await makeDirectory(unfinished, 0o755);
  for (const [name, path] of files) await place(await realpath(path), join(unfinished, name), name === "node");
  await rename(unfinished, directory);
  return directory;
}

async function nativeModules(bundle: string): Promise<string[]> {
  const directory = dirname(bundle);
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => name.endsWith(".node")).map((name) => join(directory, name));
}

/** Node is large and a link costs nothing, if everyone may run the original; the others may be private on the host. */
async function place(source: string, target: string, mayLink: boolean): Promise<void> {
  const { mode } = await stat(source);
  if (mayLink && (mode & 0o005) === 0o005 && (await linked(source, target))) return;
  await copyFile(source, target);
  await chmod(target, 0o755);
}

async function linked(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch {
    // Another file system.
    return false;
  }
}

/** Removes the directories of earlier daemons that nobody mounts any more. */
export async function removeStaleDaemons(stateDir: string, inUse: ReadonlySet<string>): Promise<void> {
  const parent = join(stateDir, "daemon");
  for (const name of await readdir(parent).catch(() => [])) {
    const directory = join(parent, name);
    if (!inUse.has(directory)) await rm(directory, { recursive: true, force: true });
  }
}

async function versionOf(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) {
    const stats = await stat(path).catch((cause: unknown) => {
      throw new CastellanError("invalid_argument", `The daemon's file ${path} is missing`, { cause });
    });
    hash.update(`${path}\0${stats.dev}\0${stats.ino}\0${stats.size}\0${stats.mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}
