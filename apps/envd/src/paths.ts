import { posix } from "node:path";
import type { Account } from "./accounts.ts";

/** A path that names nothing, whatever is on the disk. */
export class InvalidPathError extends Error {
  override readonly name = "InvalidPathError";
}

const maxPathBytes = 4096;

/**
 * The absolute, normalised path that a client means: `~` and relative paths start at the user's home, an empty path is
 * `defaultWorkdir`, or the home where there is none.
 *
 * @throws InvalidPathError for `~someone`, a NUL byte or more than 4096 bytes.
 */
export function resolvePath(path: string, account: Account, defaultWorkdir?: string): string {
  const wanted = path || defaultWorkdir || account.home;
  if (wanted.includes("\0")) throw new InvalidPathError("path holds a NUL byte");
  if (wanted.startsWith("~") && wanted.length > 1 && wanted[1] !== "/") {
    throw new InvalidPathError(
      `cannot expand "${wanted.split("/", 1)[0]}": only "~" itself stands for a home directory`,
    );
  }
  const expanded = wanted.startsWith("~") ? `.${wanted.slice(1)}` : wanted;
  const absolute = posix.resolve("/", account.home, expanded);
  if (Buffer.byteLength(absolute) > maxPathBytes)
    throw new InvalidPathError(`path is longer than ${maxPathBytes} bytes`);
  return absolute;
}
