import type { BigIntStats } from "node:fs";
import { lstat, readlink, realpath, stat } from "node:fs/promises";
import { posix } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type EntryInfoSchema, FileType } from "@castellan/contracts/filesystem";
import type { AccountTable } from "../accounts.ts";
import { readMetadata } from "./metadata.ts";

export type Entry = MessageInitShape<typeof EntryInfoSchema> & { readonly path: string };

/**
 * Describes what is at `path`, without following a symbolic link there: size, owner, time and `permissions` are the
 * link's own. Type, mode and metadata are those of what it points to, and `symlinkTarget` is where that is, absolute; a
 * broken link has no type and mode 0.
 *
 * @throws the error of `lstat`, such as ENOENT.
 */
export async function entryAt(path: string, accounts: AccountTable): Promise<Entry> {
  const own = await lstat(path, { bigint: true });
  const link = own.isSymbolicLink() ? await follow(path) : undefined;
  const described = link ? link.stats : own;
  const metadata = readMetadata(path);
  return {
    name: posix.basename(path) || "/",
    path,
    type: described ? fileType(described) : FileType.UNSPECIFIED,
    size: own.size,
    mode: described ? Number(described.mode & 0o7777n) : 0,
    permissions: permissions(Number(own.mode)),
    owner: accounts.userName(Number(own.uid)),
    group: accounts.groupName(Number(own.gid)),
    modifiedTime: timestamp(own.mtimeNs),
    ...(link && { symlinkTarget: link.target }),
    ...(metadata && { metadata }),
  };
}

/** First and last second that the message type knows: of year 1 and of year 9999. Files may have other times. */
const firstSecond = -62_135_596_800n;
const lastSecond = 253_402_300_799n;

/** Times before 1970 have negative seconds and, as the message type asks, positive nanoseconds. */
function timestamp(nanoseconds: bigint): { seconds: bigint; nanos: number } {
  const billion = 1_000_000_000n;
  const nanos = ((nanoseconds % billion) + billion) % billion;
  const seconds = (nanoseconds - nanos) / billion;
  if (seconds < firstSecond) return { seconds: firstSecond, nanos: 0 };
  if (seconds > lastSecond) return { seconds: lastSecond, nanos: 0 };
  return { seconds, nanos: Number(nanos) };
}

async function follow(path: string): Promise<{ target: string; stats: BigIntStats | undefined }> {
  try {
    return { target: await realpath(path), stats: await stat(path, { bigint: true }) };
  } catch {
    const target = await readlink(path).catch(() => path);
    return { target: posix.resolve(posix.dirname(path), target), stats: undefined };
  }
}

function fileType(stats: BigIntStats): FileType {
  if (stats.isFile()) return FileType.FILE;
  if (stats.isDirectory()) return FileType.DIRECTORY;
  return FileType.UNSPECIFIED;
}

const typeMask = 0o170000;
const character = 0o020000;

/** Letters of Go's file modes in their order, each with what it stands for. */
const modeLetters: readonly [letter: string, holds: (mode: number) => boolean][] = [
  ["d", (mode) => (mode & typeMask) === 0o040000],
  ["L", (mode) => (mode & typeMask) === 0o120000],
  ["D", (mode) => (mode & typeMask) === 0o060000 || (mode & typeMask) === character],
  ["p", (mode) => (mode & typeMask) === 0o010000],
  ["S", (mode) => (mode & typeMask) === 0o140000],
  ["u", (mode) => (mode & 0o4000) !== 0],
  ["g", (mode) => (mode & 0o2000) !== 0],
  ["c", (mode) => (mode & typeMask) === character],
  ["t", (mode) => (mode & 0o1000) !== 0],
];

/**
 * The permissions in the form that clients know, which is Go's and not that of `ls`: "-rw-r--r--", "drwxr-xr-x",
 * "Lrwxrwxrwx", and letters of their own in front for set-uid (u), set-gid (g) and sticky (t).
 */
export function permissions(mode: number): string {
  const prefix = modeLetters.filter(([, holds]) => holds(mode)).map(([letter]) => letter);
  const bits = [..."rwxrwxrwx"].map((letter, index) => (mode & (0o400 >> index) ? letter : "-"));
  return (prefix.join("") || "-") + bits.join("");
}
