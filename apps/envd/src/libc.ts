import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { getSystemErrorName } from "node:util";

/**
 * The calls of the C library that Node does not offer: terminals, watches and extended attributes. What they go through
 * is loaded at the first of them, in about 2 ms and for 0.5 MB; most sandboxes never get there.
 */

/**
 * A call that failed. `code` is the symbolic error, "ENOSPC". The engine makes system calls of its own between ours and
 * the question for the number, once in some hundred thousand times with a failure that takes its place: good enough to
 * choose between answers to a client, not to decide on what the daemon does to itself.
 */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = errno > 0 ? getSystemErrorName(-errno) : "EUNKNOWN";
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** Name of the native module that the bundle has beside it. */
const bundled = "./koffi.node";

let loaded: ReturnType<typeof load> | undefined;

function libc() {
  loaded ??= load();
  return loaded;
}

function load() {
  const isBundle = existsSync(fileURLToPath(new URL(bundled, import.meta.url)));
  const koffi: typeof import("koffi") = createRequire(import.meta.url)(isBundle ? bundled : "koffi");
  const c = koffi.load(null);
  return {
    errno: () => koffi.errno(),
    ioctl: c.func("ioctl", "int", ["int", "unsigned long", "void *"]),
    read: c.func("long read(int fd, void *buffer, size_t length)"),
    inotifyInit: c.func("int inotify_init1(int flags)"),
    inotifyAdd: c.func("int inotify_add_watch(int fd, const char *path, uint32_t mask)"),
    inotifyRemove: c.func("int inotify_rm_watch(int fd, int watch)"),
    listAttributes: c.func("long listxattr(const char *path, void *list, size_t size)"),
    listFileAttributes: c.func("long flistxattr(int fd, void *list, size_t size)"),
    getAttribute: c.func("long getxattr(const char *path, const char *name, void *value, size_t size)"),
    setFileAttribute: c.func("int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)"),
    removeFileAttribute: c.func("int fremovexattr(int fd, const char *name)"),
  };
}

/** `ioctl` with a structure that is read or written. @throws SystemCallError */
export function ioctl(fd: number, request: number, value: Buffer): void {
  checked("ioctl", libc().ioctl(fd, request, value));
}

/** A file descriptor for watches; reads of it wait. @throws SystemCallError EMFILE at the limit of a user's instances. */
export function inotifyInit(): number {
  const closeOnExec = 0o2000000;
  return checked("inotify_init1", libc().inotifyInit(closeOnExec));
}

/** The number of the watch; of the one there is, where what is at `path` is watched already. @throws SystemCallError */
export function inotifyAdd(fd: number, path: string, mask: number): number {
  return checked("inotify_add_watch", libc().inotifyAdd(fd, path, mask));
}

/** Ends a watch. One that has ended already is no error. */
export function inotifyRemove(fd: number, watch: number): void {
  libc().inotifyRemove(fd, watch);
}

/** Reads into `buffer` on a thread of the pool, which it holds while there is nothing. @throws SystemCallError */
export function readBlocking(fd: number, buffer: Buffer): Promise<number> {
  const { read, errno } = libc();
  return new Promise((resolve, reject) => {
    read.async(fd, buffer, buffer.length, (error: unknown, length: number) => {
      // Of the thread that made the call.
      const number = errno();
      if (error !== null) reject(error);
      else if (length < 0) reject(new SystemCallError("read", number));
      else resolve(length);
    });
  });
}

/** Most that the kernel stores: a list of 64 KiB, and as much for one value. */
const attributeBytes = 65_536;

/** Names of the extended attributes of what is at `path`, or of an open file. @throws SystemCallError */
export function listAttributes(file: string | number): string[] {
  const { listAttributes: byPath, listFileAttributes: byFile } = libc();
  const list = (buffer: Buffer | null, size: number): number =>
    typeof file === "string" ? byPath(file, buffer, size) : byFile(file, buffer, size);
  // Nearly all files have none.
  if (checked("listxattr", list(null, 0)) === 0) return [];
  const buffer = Buffer.alloc(attributeBytes);
  const length = checked("listxattr", list(buffer, buffer.length));
  return buffer
    .subarray(0, length)
    .toString("utf8")
    .split("\0")
    .filter((name) => name !== "");
}

/** Value of an extended attribute of what is at `path`. @throws SystemCallError ENODATA where there is none. */
export function getAttribute(path: string, name: string): Buffer {
  const buffer = Buffer.alloc(attributeBytes);
  return buffer.subarray(0, checked("getxattr", libc().getAttribute(path, name, buffer, buffer.length)));
}

/** Sets an extended attribute of an open file. @throws SystemCallError ENOSPC, EOPNOTSUPP … */
export function setFileAttribute(fd: number, name: string, value: Buffer): void {
  checked("fsetxattr", libc().setFileAttribute(fd, name, value, value.length, 0));
}

/** Removes an extended attribute of an open file. One that is not there is no error. */
export function removeFileAttribute(fd: number, name: string): void {
  libc().removeFileAttribute(fd, name);
}

function checked(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, libc().errno());
  return result;
}
