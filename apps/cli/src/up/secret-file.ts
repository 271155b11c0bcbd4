import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, open, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Failure } from "../failure.ts";

/** A kind of secret that is kept in a file of its own: one line, nothing else. */
export interface SecretKind {
  /** For messages: "API key". */
  readonly name: string;
  readonly pattern: RegExp;
  make(): string;
}

/** `e2b_` and 40 lower-case hex digits: what the SDKs accept, with 160 random bits. */
export const apiKeyKind: SecretKind = {
  name: "API key",
  pattern: /^e2b_[0-9a-f]{40}$/,
  make: () => `e2b_${randomBytes(20).toString("hex")}`,
};

/** 64 lower-case hex digits, with which the control plane and its nodes know each other. */
export const clusterTokenKind: SecretKind = {
  name: "cluster token",
  pattern: /^[0-9a-f]{64}$/,
  make: () => randomBytes(32).toString("hex"),
};

/**
 * The secret in `path`, made with mode 0600 if there is none. A file that others may read is closed to them first. It
 * appears complete or not at all, and of two processes that start at once both get the same secret.
 * @throws Failure when the file belongs to another user, is no plain file, or holds something else.
 */
export async function keepSecret(path: string, kind: SecretKind): Promise<{ secret: string; created: boolean }> {
  const kept = await readSecret(path, kind);
  if (kept !== undefined) return { secret: kept, created: false };
  const draft = join(dirname(path), `.secret-${process.pid}-${randomBytes(6).toString("hex")}`);
  const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const secret = kind.make();
    try {
      await file.writeFile(`${secret}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      await link(draft, path);
      return { secret, created: true };
    } catch (error) {
      if (!hasErrno(error, "EEXIST")) throw error;
    }
  } finally {
    await unlink(draft);
  }
  const other = await readSecret(path, kind);
  if (other === undefined) throw new Failure(`The ${kind.name} in ${path} disappeared while it was being made.`);
  return { secret: other, created: false };
}

/**
 * The secret in `path`, or `undefined` when there is no such file.
 * @throws Failure as above, and when it may not be read.
 */
export async function readSecret(path: string, kind: SecretKind): Promise<string | undefined> {
  let file: FileHandle;
  try {
    // O_NONBLOCK: a FIFO in its place must not hang the command.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    if (hasErrno(error, "EACCES")) throw new Failure(`The ${kind.name} in ${path} may only be read by its owner.`);
    if (hasErrno(error, "ELOOP")) throw new Failure(`The ${kind.name} in ${path} is a symbolic link.`);
    throw new Failure(`The ${kind.name} in ${path} cannot be read.`, { cause: error });
  }
  try {
    const { mode, uid, size } = await file.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new Failure(`${path} is not a plain file.`);
    if (uid !== process.getuid?.()) {
      throw new Failure(`The ${kind.name} in ${path} belongs to another user.`, {
        fix: "Whoever owns it could change it; remove it, and a new one is made.",
      });
    }
    if ((mode & 0o077) !== 0) await file.chmod(0o600);
    const text = size <= 4096 ? (await file.readFile("utf8")).trim() : "";
    if (!kind.pattern.test(text)) {
      throw new Failure(`${path} does not hold ${/^[aeiou]/i.test(kind.name) ? "an" : "a"} ${kind.name}.`, {
        fix: "Remove the file, and a new one is made at the next start.",
      });
    }
    return text;
  } finally {
    await file.close();
  }
}

function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
