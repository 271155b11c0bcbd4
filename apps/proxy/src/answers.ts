import type { IncomingMessage, ServerResponse } from "node:http";
import type { Address } from "./address.ts";
import { corsHeaders } from "./cors.ts";

/** An answer of the edge itself. `body.code` is the status, as clients branch on it. */
export interface Answer {
  readonly body: { readonly message: string; readonly code: number } & Readonly<Record<string, string | number>>;
  /** What a browser's page says above the message. */
  readonly title?: string;
  readonly retryAfterSeconds?: number;
}

/** Unknown or paused. 404 would mean to clients that the *path* is missing. */
export const sandboxNotFound = ({ sandboxId }: Address): Answer => ({
  title: "Sandbox not found",
  body: { sandboxId, message: "The sandbox was not found", code: 502 },
});

export const portClosed = ({ sandboxId, port }: Address): Answer => ({
  title: "Port not open",
  body: { sandboxId, message: "The sandbox is running but port is not open", port, code: 502 },
});

/** The port took the connection and ended it without an answer, or answered with what is not HTTP. */
export const noAnswer = ({ sandboxId, port }: Address): Answer => ({
  title: "No answer",
  body: { sandboxId, message: "The sandbox is running but the port did not answer the request", port, code: 502 },
});

/** The store or the node is away. Not 502 or 503, which clients read as the end of the sandbox. */
export const outOfReach = ({ sandboxId }: Address): Answer => ({
  title: "Sandbox out of reach",
  body: { sandboxId, message: "The sandbox cannot be reached now. Try again in a moment", code: 500 },
  retryAfterSeconds: 1,
});

export const tokenMissing = ({ sandboxId }: Address, header: string): Answer => ({
  title: "Token required",
  body: {
    sandboxId,
    message: `Sandbox is secured with traffic access token. Token header '${header}' is missing`,
    code: 403,
  },
});

export const tokenInvalid = ({ sandboxId }: Address, header: string): Answer => ({
  title: "Token not valid",
  body: {
    sandboxId,
    message: `Sandbox is secured with traffic access token. Provided token in header '${header}' is invalid`,
    code: 403,
  },
});

export const tooManyRequests = ({ sandboxId }: Address, limit: number): Answer => ({
  title: "Too many connections",
  body: {
    sandboxId,
    message: `The sandbox has too many concurrent incoming connections (limit: ${limit})`,
    connectionLimit: limit,
    code: 429,
  },
  retryAfterSeconds: 1,
});

export const controlRouteRefused: Answer = {
  body: { message: "This route is the node's own and is not reachable from outside", code: 404 },
};

export const noSuchPath: Answer = { body: { message: "No sandbox is named and there is no API here", code: 404 } };

export const expectationFailed: Answer = {
  body: { message: "The only expectation that can be met is 100-continue", code: 417 },
};

/** In the daemon's words. */
export const signatureExpired: Answer = { body: { message: "signature is already expired", code: 401 } };

/** In the daemon's words: no token there is matches. */
export const signatureInvalid: Answer = { body: { message: "invalid signature", code: 401 } };

export const tooManySearches = (retryAfterSeconds: number): Answer => ({
  body: {
    message: "Too many signed file URLs at once: try again in a moment, or use the sandbox's own host",
    code: 429,
  },
  retryAfterSeconds,
});

export const tooManySandboxes = (limit: number): Answer => ({
  body: {
    message:
      `With more than ${limit} secure sandboxes a signed file URL must name its sandbox: ` +
      "use the sandbox's own host (unset E2B_SANDBOX_URL)",
    code: 400,
  },
});

export const filesOfNoSandbox: Answer = {
  body: {
    message:
      "The file URL names no sandbox: sign it, use the sandbox's own host, or send E2b-Sandbox-Id and E2b-Sandbox-Port",
    code: 400,
  },
};

export const storeAway: Answer = {
  body: { message: "The sandbox cannot be reached now. Try again in a moment", code: 500 },
  retryAfterSeconds: 1,
};

export const badRequest = (message: string): Answer => ({ body: { message, code: 400 } });

/** Answers with JSON; with a page when a browser opened an address of its own. */
export function send(request: IncomingMessage, response: ServerResponse, answer: Answer, address?: Address): void {
  const html = address?.by === "host" && answer.title !== undefined && opensPage(request);
  const body = html ? page(answer.title, answer) : JSON.stringify(answer.body);
  const headers = [
    "Content-Type",
    html ? "text/html; charset=utf-8" : "application/json",
    "Content-Length",
    String(Buffer.byteLength(body)),
    "Cache-Control",
    "no-store",
    ...corsHeaders,
  ];
  if (answer.retryAfterSeconds !== undefined) headers.push("Retry-After", String(answer.retryAfterSeconds));
  response.writeHead(answer.body.code, headers);
  response.end(body);
}

/** A script of a page gets JSON like any other program. */
function opensPage(request: IncomingMessage): boolean {
  const mode = request.headers["sec-fetch-mode"];
  return (request.headers.accept ?? "").includes("text/html") && (mode === undefined || mode === "navigate");
}

function page(title: string, { body }: Answer): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 20vh auto; padding: 0 1rem; color: #222; }
code { color: #666; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } code { color: #999; } }
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(body.message)}.</p>
<p><code>${escaped(String(body["sandboxId"] ?? ""))}${"port" in body ? `, port ${escaped(String(body["port"]))}` : ""}</code></p>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
