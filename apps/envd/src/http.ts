import type { IncomingMessage, ServerResponse } from "node:http";

/** An answer other than success on one of the plain HTTP routes. `message` is for the client. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** Answers with a JSON body, or with none where `body` is absent. */
export function answer(response: ServerResponse, status: number, body?: unknown): void {
  if (body === undefined) {
    response.writeHead(status).end();
    return;
  }
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(text),
      "x-content-type-options": "nosniff",
    })
    .end(text);
}

/** Answers with the error body of the wire contract. Cuts the connection where an answer is already under way. */
export function answerError(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) response.destroy();
  else answer(response, status, { code: status, message });
}

/**
 * Reads a body of at most `maxBytes`.
 *
 * @throws HttpError 413 when it is longer, 400 when it breaks off.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Leaving the loop must not destroy the request: the answer goes out over the same connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += chunk.length;
      if (length > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw new HttpError(400, "the request body broke off", { cause: error });
  }
  if (length > maxBytes) throw new HttpError(413, `the request body is larger than ${maxBytes} bytes`);
  return Buffer.concat(chunks);
}

/**
 * Reads a JSON object of at most `maxBytes`; one without members where there is no body.
 *
 * @throws HttpError 413 when it is longer, 400 when it breaks off or is something else.
 */
export async function readJsonObject(request: IncomingMessage, maxBytes: number): Promise<Record<string, unknown>> {
  const body = await readBody(request, maxBytes);
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new HttpError(400, "the body is not JSON", { cause: error });
  }
  if (!isObject(value)) throw new HttpError(400, "the body must be a JSON object");
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Path and query of a request target. Never throws, whatever was sent. */
export function target(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  return mark < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}
