import { CastellanError } from "@castellan/domain";

const busy = 5;
const locked = 6;

/** Whether another connection holds the file. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  // Deno tells no result code.
  const told = code === undefined && error instanceof Error && error.message.includes("database is locked");
  return code === busy || code === locked || told;
}

/** Errors of the domain as they are; SQLite's as `unavailable` when the file is taken, else as `internal`. */
export function sqliteError(error: unknown): CastellanError {
  if (error instanceof CastellanError) return error;
  return isBusy(error)
    ? new CastellanError("unavailable", "The store is busy", { cause: error, retryAfterSeconds: 1 })
    : new CastellanError("internal", "The store failed", { cause: error });
}

/** The primary result code, without the extension in the higher bits. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}
