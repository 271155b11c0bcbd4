import { createHash } from "node:crypto";
import { chmod, copyFile, link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";
import type { RuntimeOptions } from "./sandbox-runtime.ts";

/**
 * Gathers the daemon's files in one directory that sandboxes mount. Its name follows from what the files are: a node
 * that comes back with a newer daemon gets another directory, and running sandboxes keep theirs.
 * @returns the directory's absolute path.
 * @throws `invalid_argument` when a file is missing.
 */
export async function stageDaemon(stateDir: string, daemon: RuntimeOptions["daemon"]): Promise<string> {
  const files = [
    ["node", daemon.nodeBinary],
    ["daemon.mjs", daemon.bundle],
    ["init", daemon.init],
  ] as const;
  const parent = join(stateDir, "daemon");
  await mkdir(parent, { recursive: true, mode: 0o711 });
  const directory = join(parent, await versionOf(files.map(([, path]) => path)));
  if ((await stat(directory).catch(() => undefined)) !== undefined) return directory;

  const unfinished = `${directory}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o755 });
  for (const [name, path] of files) {
    const target = join(unfinished, name);
    // Node is large and a link costs nothing; its own mode lets everyone run it. The others may be private on the host.
    const linked =
      name === "node" &&
      (await link(path, target).then(
        () => true,
        () => false,
      ));
    if (linked) continue;
    await copyFile(path, target);
    await chmod(target, 0o755);
  }
  await rename(unfinished, directory);
  return directory;
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
