import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { CastellanError, type ErrorCode } from "@castellan/domain";
import { errorCodes, type FastifyError } from "fastify";

/** The only place that turns a code into a status. */
const statuses: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  precondition_failed: 412,
  too_large: 413,
  unsupported_media_type: 415,
  key_reused: 422,
  quota_exceeded: 429,
  cancelled: 499,
  internal: 500,
  unimplemented: 501,
  unavailable: 503,
  deadline_exceeded: 504,
};

const defaultRetryAfterSeconds = 1;

/** What goes out for a failure. */
export interface ErrorReply {
  readonly status: number;
  readonly body: { readonly code: number; readonly message: string };
  /** Seconds; for 429 and 503. */
  readonly retryAfter?: number;
}

/**
 * The answer to a failed request. `internalMessage` replaces whatever an internal fault has to say: its cause is for the
 * log.
 */
export function errorReply(error: unknown, internalMessage = "Internal error"): ErrorReply {
  if (error instanceof CastellanError) {
    const status = statuses[error.code];
    const body = { code: status, message: status === 500 ? internalMessage : error.message };
    return status === 429 || status === 503
      ? { status, body, retryAfter: error.retryAfterSeconds ?? defaultRetryAfterSeconds }
      : { status, body };
  }
  // Its own answer repeats the path, however long that is.
  if (error instanceof errorCodes.FST_ERR_MAX_PARAM_LENGTH) {
    return { status: 400, body: { code: 400, message: "A part of the path is too long" } };
  }
  if (isClientError(error)) {
    return { status: error.statusCode, body: { code: error.statusCode, message: clientMessage(error) } };
  }
  return { status: 500, body: { code: 500, message: internalMessage } };
}

/** Answers what is not HTTP, too slow or too long, in the same shape as every other error; then closes. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const [status, message] =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? [408, "The request did not arrive in time"]
      : error.code === "HPE_HEADER_OVERFLOW"
        ? [431, "The request's headers or path are too long"]
        : [400, "The request is not valid HTTP"];
  if (socket.writable) {
    const body = JSON.stringify({ code: status, message });
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
  socket.destroy(error);
}

/** fastify's own refusals: bad JSON, too large, wrong length, bad URL. */
function isClientError(error: unknown): error is FastifyError & { readonly statusCode: number } {
  if (!(error instanceof Error) || !("statusCode" in error)) return false;
  return typeof error.statusCode === "number" && error.statusCode >= 400 && error.statusCode < 500;
}

function clientMessage(error: FastifyError): string {
  if (error instanceof errorCodes.FST_ERR_CTP_BODY_TOO_LARGE) return "The body is over 256 KiB";
  if (error instanceof errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE) return "The body must be JSON (application/json)";
  if (error instanceof errorCodes.FST_ERR_BAD_URL) return "The path is not valid percent-encoding";
  return error.message;
}
