/**
 * The one error type, with a closed set of codes. REST maps a code to a status in `packages/rest`, Connect maps it in
 * `apps/orchestrator`; nothing else decides statuses. `message` is for the person who sent the request; `cause` is for
 * the log and never leaves the process.
 */
export type ErrorCode =
  /** The request makes no sense, whatever the state. */
  | "invalid_argument"
  /** No credential, or an unknown one. */
  | "unauthenticated"
  /** A known credential that may not do this. */
  | "permission_denied"
  /** No such thing, or another team's. */
  | "not_found"
  /** The path exists, the method does not. */
  | "method_not_allowed"
  /** The state of the thing does not allow it. */
  | "conflict"
  /** A condition of the request (`If-Match`) does not hold. */
  | "precondition_failed"
  /** The request is larger than it may be. */
  | "too_large"
  /** An `Idempotency-Key` that was used for something else. */
  | "key_reused"
  /** The body's media type is not one that the operation takes. */
  | "unsupported_media_type"
  /** The team uses as much as it may. */
  | "quota_exceeded"
  /** Declared in the contract, not built yet. */
  | "unimplemented"
  /** A part that is needed does not answer now; trying again is right. */
  | "unavailable"
  /** It took longer than the caller allowed. */
  | "deadline_exceeded"
  /** The caller went away. */
  | "cancelled"
  /** A fault of this service. */
  | "internal";

export interface ErrorDetails {
  /** What went wrong underneath; logged, never sent. */
  readonly cause?: unknown;
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

export class CastellanError extends Error {
  override readonly name = "CastellanError";
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** The error itself if it is one of ours, else an `internal` one that keeps it as its cause. */
  static from(error: unknown, message = "Internal error"): CastellanError {
    return error instanceof CastellanError ? error : new CastellanError("internal", message, { cause: error });
  }
}

/** Whether `error` is ours and has this code. */
export function hasCode(error: unknown, code: ErrorCode): error is CastellanError {
  return error instanceof CastellanError && error.code === code;
}
