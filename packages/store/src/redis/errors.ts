import { CastellanError } from "@castellan/domain";
import { ReplyError } from "ioredis";

export function unavailable(message: string, cause?: unknown): CastellanError {
  return new CastellanError("unavailable", message, { cause, retryAfterSeconds: 1 });
}

/** Answers of a server that cannot serve now. The rest are faults: of a script, of the data, of the rights. */
const transient =
  /^(LOADING|BUSY|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|OOM|NOREPLICAS|UNKILLABLE|MOVED|ASK)\b/;

/**
 * What a failed command means: no answer, a lost connection and a server that cannot serve are `unavailable`, with the
 * outcome unknown; any other answer is `internal`.
 */
export function redisError(error: unknown, what: string): CastellanError {
  if (error instanceof CastellanError) return error;
  if (error instanceof ReplyError && !(error instanceof Error && transient.test(error.message))) {
    return new CastellanError("internal", "The store failed", { cause: new Error(`Redis: ${what}`, { cause: error }) });
  }
  return unavailable("The store does not answer", new Error(`Redis: ${what}`, { cause: error }));
}

/** Whether the deadline of a command has passed; the client library has no class or code for that. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}
