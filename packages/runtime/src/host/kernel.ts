import { closeSync, openSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import koffi from "koffi";

/**
 * The system calls that Node does not offer. Each throws `SystemCallError` on failure. Those that may wait run on a
 * thread of the pool; those about the calling thread (`setns`) must not.
 *
 * The error's number is for the log alone. The engine itself makes system calls between ours and the question for the
 * number, once in some hundred thousand times with a failure of its own: whoever must decide looks at the thing instead.
 */

export class SystemCallError extends Error {
  override readonly name = "SystemCallError";

  constructor(call: string, errno: number, detail = "") {
    super(`${call}${detail === "" ? "" : ` ${detail}`}: ${errno > 0 ? getSystemErrorName(-errno) : "unknown error"}`);
  }
}

export const mountFlags = { readOnly: 1, noSuid: 2, noDev: 4, noAtime: 1024 } as const;
export const detach = 2;

const libc = koffi.load(null);

const dataVector = koffi.struct({ base: "void *", length: "size_t" });
const messageHeader = koffi.struct({
  name: "void *",
  nameLength: "uint32_t",
  vectors: koffi.pointer(dataVector),
  vectorCount: "size_t",
  control: "void *",
  controlLength: "size_t",
  flags: "int",
});

const c = {
  mount: libc.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  ),
  umount2: libc.func("int umount2(const char *target, int flags)"),
  setns: libc.func("int setns(int fd, int type)"),
  lseek: libc.func("int64_t lseek(int fd, int64_t offset, int whence)"),
  socket: libc.func("int socket(int domain, int type, int protocol)"),
  socketpair: libc.func("int socketpair(int domain, int type, int protocol, void *fds)"),
  sendmsg: libc.func("sendmsg", "int64_t", ["int", koffi.pointer(messageHeader), "int"]),
  connect: libc.func("int connect(int fd, const void *address, uint32_t length)"),
  getsockopt: libc.func("int getsockopt(int fd, int level, int name, void *value, void *length)"),
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

export function pidfdSendSignal(pidfd: number, signal: number): void {
  checked("pidfd_send_signal", "", c.pidfdSendSignal(numbers.pidfdSendSignal, pidfd, signal, null, 0));
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

/** A stream socket that neither blocks nor survives exec; undefined when there is none of the family. */
export function streamSocket(family: 4 | 6): number | undefined {
  const [inet, inet6, stream, nonBlocking, closeOnExec] = [2, 10, 1, 0o4000, 0o2000000];
  const fd: number = c.socket(family === 4 ? inet : inet6, stream | nonBlocking | closeOnExec, 0);
  return fd >= 0 ? fd : undefined;
}

/** Begins to connect a socket that does not block; `connectionState` says what comes of it. */
export function beginConnect(fd: number, address: Buffer): void {
  c.connect(fd, address, address.length);
}

/** How far a socket that began to connect has come. `closed`: refused, unreachable, or reset since. */
export function connectionState(fd: number): "connected" | "pending" | "closed" {
  const [tcp, tcpInfo] = [6, 11];
  const [synSent, synReceived, close] = [2, 3, 7];
  // The first byte of `struct tcp_info` is the state.
  const [info, length] = [Buffer.alloc(8), Buffer.alloc(4)];
  length.writeUInt32LE(info.length);
  checked("getsockopt", "", c.getsockopt(fd, tcp, tcpInfo, info, length));
  const state = info[0];
  if (state === synSent || state === synReceived) return "pending";
  return state === close ? "closed" : "connected";
}

/** Two local sockets that are joined; neither blocks nor survives exec. */
export function socketPair(): [number, number] {
  const [unix, stream, nonBlocking, closeOnExec] = [1, 1, 0o4000, 0o2000000];
  const fds = Buffer.alloc(8);
  checked("socketpair", "", c.socketpair(unix, stream | nonBlocking | closeOnExec, 0, fds));
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/** A connection to a local socket, at most 107 bytes of path. It does not block. */
export function connectLocal(path: string): number {
  const [unix, stream, nonBlocking, closeOnExec] = [1, 1, 0o4000, 0o2000000];
  const fd = checked("socket", path, c.socket(unix, stream | nonBlocking | closeOnExec, 0));
  try {
    const name = Buffer.from(`${path}\0`);
    const address = Buffer.alloc(2 + name.length);
    address.writeUInt16LE(unix, 0);
    name.copy(address, 2);
    checked("connect", path, c.connect(fd, address, address.length));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Sends bytes through a local socket together with a descriptor. @returns how many bytes were taken. */
export function sendDescriptor(fd: number, data: Buffer, descriptor: number): number {
  const [solSocket, scmRights, noSignal] = [1, 1, 0x4000];
  const [headerLength, length] = [16, 20];
  const control = Buffer.alloc(24);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(solSocket, 8);
  control.writeInt32LE(scmRights, 12);
  control.writeInt32LE(descriptor, headerLength);
  const message = {
    name: null,
    nameLength: 0,
    vectors: [{ base: data, length: data.length }],
    vectorCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  };
  return checked("sendmsg", "", Number(c.sendmsg(fd, message, noSignal)));
}

/** Where data and holes lie in a sparse file: the next start of either at or after `offset`; undefined at the end. */
export function seek(fd: number, offset: number, what: "data" | "hole"): number | undefined {
  const [seekData, seekHole] = [3, 4];
  const result: number = c.lseek(fd, offset, what === "data" ? seekData : seekHole);
  return result >= 0 ? result : undefined;
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
