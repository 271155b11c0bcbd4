import { getAttribute, listAttributes, removeFileAttribute, SystemCallError, setFileAttribute } from "../libc.ts";
import { errorCode } from "./failure.ts";

/** A file's metadata: what clients have attached to it, kept as extended attributes below `user.e2b.`. */
export type FileMetadata = Readonly<Record<string, string>>;

const prefix = "user.e2b.";

/** Longest name of an attribute is 255 bytes, the prefix included. */
export const maxKeyBytes = 255 - prefix.length;

/** Most bytes of names, prefixes included, and values: what a file system surely has room for. */
export const maxTotalBytes = 4096;

/**
 * Says what is wrong with metadata that a client wants to attach, or nothing when it can be.
 */
export function metadataFault(metadata: FileMetadata): string | undefined {
  let total = 0;
  for (const [key, value] of Object.entries(metadata)) {
    if (key === "") return "a metadata key is empty";
    if (key.length > maxKeyBytes) return `metadata key '${key.slice(0, 32)}…' is longer than ${maxKeyBytes} bytes`;
    if (!isPrintable(key) || !isPrintable(value))
      return `metadata '${key}' holds other than printable ASCII characters`;
    total += prefix.length + key.length + value.length;
  }
  return total > maxTotalBytes ? `the metadata has ${total} bytes, more than ${maxTotalBytes}` : undefined;
}

/**
 * The metadata of what is at `path`, or of what a symbolic link there leads to. Undefined when there is none, or none can
 * be had: a file is described without it rather than not at all. What is no UTF-8 (commands can set anything) is left out.
 */
export function readMetadata(path: string): FileMetadata | undefined {
  let names: string[];
  try {
    names = listAttributes(path).filter((name) => name.startsWith(prefix));
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
  const found = names.flatMap((name) => {
    const value = valueAt(path, name);
    return value === undefined ? [] : [[name.slice(prefix.length), value] as const];
  });
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

/**
 * Replaces the metadata of an open file as a whole. Files that can have none, such as those in /proc, stay without.
 *
 * @throws SystemCallError ENOSPC when the file system has no room for it.
 */
export function writeMetadata(fd: number, metadata: FileMetadata): void {
  try {
    for (const name of listAttributes(fd)) {
      if (name.startsWith(prefix) && !Object.hasOwn(metadata, name.slice(prefix.length))) removeFileAttribute(fd, name);
    }
    for (const [key, value] of Object.entries(metadata))
      setFileAttribute(fd, prefix + key, Buffer.from(value, "latin1"));
  } catch (error) {
    if (!["ENOTSUP", "EOPNOTSUPP", "EPERM"].includes(errorCode(error) ?? "")) throw error;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function valueAt(path: string, name: string): string | undefined {
  try {
    return strictUtf8.decode(getAttribute(path, name));
  } catch {
    return undefined;
  }
}

function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
