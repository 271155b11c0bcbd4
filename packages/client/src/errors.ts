/** The service refused, or could not be reached. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The HTTP status; 0 when there was no answer in time or none at all. */
  readonly status: number;
  /** Seconds after which trying again makes sense, when the service said so. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, message: string, details: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.status = status;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** The error in an answer that is not a success, whatever its body. */
export function errorOf(response: Response, body: unknown): ApiError {
  const retryAfter = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return new ApiError(
    response.status,
    messageOf(body) ?? (response.statusText || `The service answered ${response.status}`),
    Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {},
  );
}

function messageOf(body: unknown): string | undefined {
  if (typeof body === "string" && body !== "") return body.slice(0, 500);
  if (typeof body !== "object" || body === null || !("message" in body)) return undefined;
  return typeof body.message === "string" ? body.message : undefined;
}
