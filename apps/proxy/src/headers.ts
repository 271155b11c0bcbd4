import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Address } from "./address.ts";
import { corsHeaders, speaksCors } from "./cors.ts";

export const trafficTokenHeader = "e2b-traffic-access-token";

/** About one connection, not about the message. `Connection` may name more. */
const hopByHop = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];

/** Not for the code inside: credentials of the platform, and what only the edge can say about the client. */
const notForSandboxes = new Set([
  ...hopByHop,
  "x-api-key",
  trafficTokenHeader,
  "castellan-execution",
  "forwarded",
  "x-real-ip",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
  "x-forwarded-server",
  // Said again when the client waits for it.
  "expect",
]);

/** What speaks for a whole origin, when the origin is the API's and every sandbox's. */
const notForSharedOrigin = new Set(["alt-svc", "clear-site-data", "strict-transport-security"]);

/** A file that a browser opens under the API's origin has no part in that origin: no scripts, no storage, no cookies. */
const pageOfNoOrigin = ["Content-Security-Policy", "sandbox"];

const notForClients = new Set(hopByHop);

/** What frames a message, or says where it goes, cannot be taken out by naming it in `Connection`. */
const notNominable = new Set(["content-length", "host"]);

const routing = new Set(["e2b-sandbox-id", "e2b-sandbox-port"]);

/**
 * Header names and values in turn, as the server in the sandbox gets them: in the client's order and spelling, without
 * what is not for it, with `X-Forwarded-*`. The body's framing is the client's.
 */
export function requestHeaders(request: IncomingMessage, address: Address, domain: string): string[] {
  const nominated = nominatedBy(request.headers.connection);
  const chunked = request.headers["transfer-encoding"] !== undefined;
  const headers: string[] = [];
  for (const [name, value, lower] of pairs(request.rawHeaders)) {
    if (notForSandboxes.has(lower) || nominated?.has(lower)) continue;
    if (lower === "trailer" && !chunked) continue;
    // On a port's own host these did not route, and may name another sandbox.
    if (address.by === "host" && routing.has(lower)) continue;
    if (lower === "authorization" && isApiKey(value)) continue;
    headers.push(name, value);
  }
  const host = request.headers.host;
  if (host === undefined) headers.push("Host", `${address.port}-${address.sandboxId}.${domain}`);
  else headers.push("X-Forwarded-Host", host);
  headers.push("X-Forwarded-For", clientAddress(request), "X-Forwarded-Proto", isSecure(request) ? "https" : "http");
  if (/\btrailers\b/i.test(String(request.headers.te))) headers.push("TE", "trailers");
  if (chunked) headers.push("Transfer-Encoding", "chunked");
  else if (request.headers["content-length"] === undefined && usuallyHasBody(request.method)) {
    headers.push("Content-Length", "0");
  }
  return headers;
}

/** The head of an answer, from whichever client library. */
export interface AnswerHead {
  readonly statusCode?: number | undefined;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingHttpHeaders;
}

/** Header names and values in turn, as the client gets them. A sandbox's own CORS headers stand as they are. */
export function responseHeaders(answer: AnswerHead, request: IncomingMessage, address: Address): string[] {
  const nominated = nominatedBy(answer.headers.connection);
  const trailing = answer.headers["transfer-encoding"] !== undefined && mayHaveTrailers(answer, request);
  const headers: string[] = [];
  for (const [name, value, lower] of pairs(answer.rawHeaders)) {
    if (notForClients.has(lower) || nominated?.has(lower)) continue;
    if (lower === "trailer" && !trailing) continue;
    if (address.by !== "host" && notForSharedOrigin.has(lower)) continue;
    if (address.by === "signature" && lower === "set-cookie") continue;
    headers.push(name, value);
  }
  if (!speaksCors(headers)) headers.push(...corsHeaders);
  if (address.by === "signature") headers.push(...pageOfNoOrigin);
  return headers;
}

/**
 * Trailers, or the headers of a hint, as name and value pairs: without what frames a message or is not for the other
 * side.
 */
export function endToEnd(raw: readonly string[], to: "sandbox" | "client"): [string, string][] {
  const dropped = to === "sandbox" ? notForSandboxes : notForClients;
  return Array.from(pairs(raw), ([name, value, lower]): [string, string] | undefined =>
    dropped.has(lower) || notNominable.has(lower) || lower === "authorization" ? undefined : [name, value],
  ).filter((pair) => pair !== undefined);
}

/** Only behind a body in chunks is there a place for what `Trailer` announces; Node refuses to announce it elsewhere. */
function mayHaveTrailers(answer: AnswerHead, request: IncomingMessage): boolean {
  const empty = request.method === "HEAD" || answer.statusCode === 204 || answer.statusCode === 304;
  return !empty && request.httpVersion !== "1.0";
}

/** Whether a message has a body, by its framing. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers["content-length"];
  return request.headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) !== 0);
}

function* pairs(raw: readonly string[]): Generator<[name: string, value: string, lower: string]> {
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    yield [name, raw[at + 1] ?? "", name.toLowerCase()];
  }
}

function nominatedBy(connection: string | undefined): Set<string> | undefined {
  // Nearly always one of these two.
  if (connection === undefined || connection === "keep-alive" || connection === "close") return undefined;
  const names = connection.split(",").map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => !notNominable.has(name)));
}

/** A key of the platform where some other service's token might stand. */
function isApiKey(authorization: string): boolean {
  return /^bearer\s+(sk_)?e2b_/i.test(authorization);
}

function usuallyHasBody(method: string | undefined): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}

/** Without the prefix of IPv4 on a socket for both. */
export function clientAddress(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
}

function isSecure(request: IncomingMessage): boolean {
  const socket: IncomingMessage["socket"] | TLSSocket = request.socket;
  return "encrypted" in socket && socket.encrypted === true;
}
