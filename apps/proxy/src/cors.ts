import type { IncomingMessage, ServerResponse } from "node:http";

const exposed = [
  "Content-Encoding",
  "Connect-Content-Encoding",
  "Grpc-Status",
  "Grpc-Message",
  "Grpc-Status-Details-Bin",
  "Location",
  "Cache-Control",
  "X-Content-Type-Options",
].join(", ");

/**
 * What lets a page of any origin read an answer. Without credentials: no cookie of a sandbox's own pages is sent, or
 * taken, because of it.
 */
export const corsHeaders: readonly string[] = [
  "Access-Control-Allow-Origin",
  "*",
  "Access-Control-Expose-Headers",
  exposed,
];

/** Whether a browser asks beforehand if a page may send a request. */
export function isPreflight(request: IncomingMessage): boolean {
  return (
    request.method === "OPTIONS" &&
    request.headers.origin !== undefined &&
    request.headers["access-control-request-method"] !== undefined
  );
}

/**
 * Allows any origin, method and header. A preflight carries none of the headers that name a sandbox, so whether the
 * request behind it goes to the API or to a sandbox is not known yet.
 */
export function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(204, [
    "Access-Control-Allow-Origin",
    "*",
    "Access-Control-Allow-Methods",
    "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    // Named one by one, as `*` does not cover Authorization.
    "Access-Control-Allow-Headers",
    requestedHeaders(request) || "*",
    "Access-Control-Max-Age",
    "7200",
    "Vary",
    "Access-Control-Request-Headers",
  ]);
  response.end();
}

/** Whether the headers of an answer, name and value in turn, say themselves which pages may read it. */
export function speaksCors(rawHeaders: readonly string[]): boolean {
  return rawHeaders.some((name, at) => at % 2 === 0 && name.toLowerCase() === "access-control-allow-origin");
}

function requestedHeaders(request: IncomingMessage): string {
  const value = request.headers["access-control-request-headers"] ?? "";
  return /^[\w!#$%&'*+.^`|~\-, \t]*$/.test(value) ? value : "";
}
