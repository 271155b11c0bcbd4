import { lchown, mkdir, stat } from "node:fs/promises";
import { posix } from "node:path";
import type { Account } from "../accounts.ts";
import { errorCode } from "./failure.ts";

/**
 * Makes `path` (absolute) and the missing directories above it, mode 0755, owned by `owner`. Directories that exist stay
 * as they are.
 *
 * @throws the error of `mkdir`; ENOTDIR when something on the way is no directory.
 */
export async function ensureDirectory(path: string, owner: Account): Promise<void> {
  if (await isDirectory(path)) return;
  const parent = posix.dirname(path);
  if (parent !== path) await ensureDirectory(parent, owner);
  try {
    await mkdir(path, 0o755);
  } catch (error) {
    // Someone else made it in the meantime. Whoever did may not have got to the owner yet.
    if (errorCode(error) !== "EEXIST") throw error;
    if (!(await isDirectory(path))) throw Object.assign(new Error(`${path} is not a directory`), { code: "ENOTDIR" });
  }
  await lchown(path, owner.uid, owner.gid);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
