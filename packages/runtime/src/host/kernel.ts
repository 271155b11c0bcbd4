import { closeSync, openSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import koffi from "koffi";

/**
 * The system calls that Node does not offer. Each throws `SystemCallError` on failure. Those that may wait run on a
 * thread of the pool; those about the calling thread (`setns`) must not.
 */

export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  /** `ENOENT` and so on. */
  readonly code: string;

  constructor(call: string, errno: number, detail = "") {
    const code = errno > 0 ? getSystemErrorName(-errno) : "UNKNOWN";
    super(`${call}${detail === "" ? "" : ` ${detail}`}: ${code}`);
    this.code = code;
  }
}

export const mountFlags = { readOnly: 1, noSuid: 2, noDev: 4, noAtime: 1024 } as const;
export const detach = 2;

const libc = koffi.load(null);
const errnos = koffi.os.errno;

const c = {
  mount: libc.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  ),
  umount2: libc.func("int umount2(const char *target, int flags)"),
  setns: libc.func("int setns(int fd, int type)"),
  lseek: libc.func("int64_t lseek(int fd, int64_t offset, int whence)"),
  socket: libc.func("int socket(int domain, int type, int protocol)"),
  connect: libc.func("int connect(int fd, const void *address, uint32_t length)"),
  ioctlInt: libc.func("ioctl", "int", ["int", "unsigned long", "long"]),
  ioctlPointer: libc.func("ioctl", "int", ["int", "unsigned long", "void *"]),
  openTree: libc.func("syscall", "long", ["long", "int", "const char *", "unsigned int"]),
  mountSetattr: libc.func("syscall", "long", ["long", "int", "const char *", "unsigned int", "void *", "size_t"]),
  moveMount: libc.func("syscall", "long", ["long", "int", "const char *", "int", "const char *", "unsigned int"]),
  pidfdOpen: libc.func("syscall", "long", ["long", "int", "unsigned int"]),
  pidfdSendSignal: libc.func("syscall", "long", ["long", "int", "int", "void *", "unsigned int"]),
};

/** The numbers are the same on every architecture since Linux 5.1. */
const numbers = { pidfdSendSignal: 424, openTree: 428, moveMount: 429, pidfdOpen: 434, mountSetattr: 442 } as const;

export function mount(source: string, target: string, type: string, flags: number, data: string): Promise<void> {
  return threaded("mount", target, c.mount, [source, target, type, flags, data]).then(() => undefined);
}

export function unmount(target: string, flags = 0): Promise<void> {
  return threaded("umount", target, c.umount2, [target, flags]).then(() => undefined);
}

/** A mount of `source` at `target` in which the ids of the user namespace stand for the ids on disk. */
export function mountIdmapped(source: string, target: string, userNamespaceFd: number): void {
  const atCwd = -100;
  const [openTreeClone, openTreeCloexec] = [1, 0o2000000];
  const tree = checked(
    "open_tree",
    source,
    c.openTree(numbers.openTree, atCwd, source, openTreeClone | openTreeCloexec),
  );
  try {
    const [readOnly, noSuid, noDev, idmap] = [1n, 2n, 4n, 0x100000n];
    const attributes = Buffer.alloc(32);
    attributes.writeBigUInt64LE(readOnly | noSuid | noDev | idmap, 0);
    attributes.writeBigUInt64LE(BigInt(userNamespaceFd), 24);
    const emptyPath = 0x1000;
    const changed = c.mountSetattr(numbers.mountSetattr, tree, "", emptyPath, attributes, attributes.length);
    checked("mount_setattr", source, changed);
    const fromEmptyPath = 4;
    checked("move_mount", target, c.moveMount(numbers.moveMount, tree, "", atCwd, target, fromEmptyPath));
  } finally {
    closeSync(tree);
  }
}

/** A file descriptor that stands for the process and never for a later one with its number. */
export function pidfdOpen(pid: number): number {
  return checked("pidfd_open", String(pid), c.pidfdOpen(numbers.pidfdOpen, pid, 0));
}

/** @returns whether the process was still there to take the signal. */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  const result: number = c.pidfdSendSignal(numbers.pidfdSendSignal, pidfd, signal, null, 0);
  if (result === 0) return true;
  if (koffi.errno() === errnos["ESRCH"]) return false;
  throw new SystemCallError("pidfd_send_signal", koffi.errno());
}

/**
 * Runs `action` with the calling thread in another network namespace. It must not wait for anything: the thread comes
 * back before any other work runs on it.
 */
export function inNetworkNamespace<T>(namespaceFd: number, action: () => T): T {
  const network = 0x40000000;
  const home = openSync("/proc/thread-self/ns/net", "r");
  try {
    checked("setns", "", c.setns(namespaceFd, network));
    try {
      return action();
    } finally {
      // A thread left in a sandbox's network would serve one tenant with another's connections.
      if (c.setns(home, network) !== 0) process.abort();
    }
  } finally {
    closeSync(home);
  }
}

/** A stream socket that neither blocks nor survives exec; undefined when the kernel does not know the family. */
export function streamSocket(family: 4 | 6): number | undefined {
  const [inet, inet6, stream, nonBlocking, closeOnExec] = [2, 10, 1, 0o4000, 0o2000000];
  const fd: number = c.socket(family === 4 ? inet : inet6, stream | nonBlocking | closeOnExec, 0);
  if (fd < 0 && koffi.errno() === errnos["EAFNOSUPPORT"]) return undefined;
  return checked("socket", "", fd);
}

export type ConnectProgress = "connected" | "pending" | "refused";

/** Begins or continues to connect; call again until it is no longer pending. */
export function connectProgress(fd: number, address: Buffer): ConnectProgress {
  if (c.connect(fd, address, address.length) === 0) return "connected";
  const errno = koffi.errno();
  if (errno === errnos["EISCONN"]) return "connected";
  if (errno === errnos["EINPROGRESS"] || errno === errnos["EALREADY"]) return "pending";
  const refusals = ["ECONNREFUSED", "EADDRNOTAVAIL", "ENETUNREACH", "EHOSTUNREACH", "ECONNRESET", "ECONNABORTED"];
  if (refusals.some((name) => errnos[name] === errno)) return "refused";
  throw new SystemCallError("connect", errno);
}

/** Where data and holes lie in a sparse file: the next start of either at or after `offset`; undefined at the end. */
export function seek(fd: number, offset: number, what: "data" | "hole"): number | undefined {
  const [seekData, seekHole] = [3, 4];
  const result: number = c.lseek(fd, offset, what === "data" ? seekData : seekHole);
  if (result >= 0) return result;
  if (koffi.errno() === errnos["ENXIO"]) return undefined;
  throw new SystemCallError("lseek", koffi.errno());
}

/** `ioctl` with a number. @returns what the kernel answers. */
export function ioctlNumber(fd: number, request: number, value: number): number {
  return checked("ioctl", `0x${request.toString(16)}`, c.ioctlInt(fd, request, value));
}

/** `ioctl` with a structure, on a thread of the pool. */
export async function ioctlStructure(fd: number, request: number, value: Buffer): Promise<number> {
  return await threaded("ioctl", `0x${request.toString(16)}`, c.ioctlPointer, [fd, request, value]);
}

function checked(call: string, detail: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, koffi.errno(), detail);
  return result;
}

function threaded(call: string, detail: string, native: typeof c.mount, args: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error: unknown, result: number) => {
      // koffi hands the errno of the thread that ran the call to this one.
      const errno = koffi.errno();
      if (error !== null) reject(error);
      else if (result < 0) reject(new SystemCallError(call, errno, detail));
      else resolve(result);
    });
  });
}
