import { Code, ConnectError } from "@connectrpc/connect";
import { InvalidPathError } from "../paths.ts";

/** What an error of the operating system means to a client: the RPC code, the HTTP status and words. */
export interface Failure {
  readonly code: Code;
  readonly status: number;
  readonly reason: string;
}

/** "unavailable" and 503 are missing on purpose: clients read them as "the sandbox is gone". */
const failures: Readonly<Record<string, Failure>> = {
  ENOENT: { code: Code.NotFound, status: 404, reason: "no such file or directory" },
  ENOTDIR: { code: Code.InvalidArgument, status: 400, reason: "a part of the path is not a directory" },
  EISDIR: { code: Code.InvalidArgument, status: 400, reason: "it is a directory" },
  ENAMETOOLONG: { code: Code.InvalidArgument, status: 400, reason: "the name is too long" },
  EINVAL: { code: Code.InvalidArgument, status: 400, reason: "not possible with these paths" },
  EEXIST: { code: Code.AlreadyExists, status: 409, reason: "it already exists" },
  ENOTEMPTY: { code: Code.FailedPrecondition, status: 409, reason: "the directory is not empty" },
  EBUSY: { code: Code.FailedPrecondition, status: 409, reason: "it is in use" },
  ETXTBSY: { code: Code.FailedPrecondition, status: 409, reason: "the program is running" },
  EXDEV: { code: Code.FailedPrecondition, status: 409, reason: "source and destination are on different filesystems" },
  ELOOP: { code: Code.FailedPrecondition, status: 409, reason: "too many symbolic links" },
  ENXIO: { code: Code.InvalidArgument, status: 400, reason: "it is not a regular file" },
  EACCES: { code: Code.PermissionDenied, status: 403, reason: "permission denied" },
  EPERM: { code: Code.PermissionDenied, status: 403, reason: "the operation is not permitted" },
  EROFS: { code: Code.PermissionDenied, status: 403, reason: "the filesystem is read-only" },
  ENOSPC: { code: Code.FailedPrecondition, status: 507, reason: "not enough disk space available" },
  EDQUOT: { code: Code.FailedPrecondition, status: 507, reason: "not enough disk space available" },
  // What the kernel shows as a file and is none, such as a process's memory.
  EIO: { code: Code.FailedPrecondition, status: 409, reason: "it cannot be read or written there" },
  EFBIG: { code: Code.FailedPrecondition, status: 413, reason: "the file would be too large" },
};

/** Explains an error from `node:fs` or from resolving a path. Unknown ones are internal, without details. */
export function explain(error: unknown): Failure {
  if (error instanceof InvalidPathError) return { code: Code.InvalidArgument, status: 400, reason: error.message };
  const known = failures[errorCode(error) ?? ""];
  return known ?? { code: Code.Internal, status: 500, reason: "unexpected error" };
}

/** The error of an RPC that could not do `action` ("cannot remove /x"). Keeps one that already is an RPC error. */
export function rpcFailure(action: string, error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const { code, reason } = explain(error);
  return new ConnectError(`${action}: ${reason}`, code, undefined, undefined, error);
}

/** The symbolic code of an error of the operating system, such as "ENOENT". */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
