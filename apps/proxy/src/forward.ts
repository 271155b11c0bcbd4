import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type InformationEvent,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import type { Address } from "./address.ts";
import { originForm } from "./control-routes.ts";
import { endToEnd, hasBody, responseHeaders } from "./headers.ts";
import { reset } from "./reset.ts";
import { edgeServerOptions } from "./server.ts";
import { type ExecutionTunnels, TunnelRefused } from "./tunnels.ts";

/** One request of a client on its way to a port of a sandbox. */
export interface Passage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly address: Address;
  /** Names and values in turn, as the server in the sandbox gets them. */
  readonly headers: readonly string[];
  /** The client sends its body only when told to. */
  readonly expectsContinue: boolean;
  /** Says whether an answer is passed on; when not, its body is dropped and the client answered otherwise. */
  readonly accept?: (answer: IncomingMessage) => boolean;
  /** Takes the connection over when the server in the sandbox switches protocols. */
  readonly onSwitch?: (answer: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** The port ended the connection before an answer, or what it answered was not HTTP. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** Sending the request once more cannot do anything twice. */
  readonly repeatable: boolean;

  constructor(repeatable: boolean, cause: unknown) {
    super("The port did not answer", { cause });
    this.repeatable = repeatable;
  }
}

/**
 * Sends a request through a tunnel and passes the answer on, both as they come. Resolves when the answer's head has
 * been passed on, or the client has gone; what happens after that is settled here: a body that breaks off destroys the
 * client's connection, a client that goes away destroys the request.
 *
 * @throws TunnelRefused before anything was sent
 * @throws NoAnswer when nothing was passed on yet
 */
export function forward(passage: Passage, tunnels: ExecutionTunnels): Promise<void> {
  const { request, response, address } = passage;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const upstream = httpRequest({
    agent: tunnels.agent,
    port: address.port,
    method: request.method,
    path: originForm(request.url ?? "/"),
    headers: passage.headers,
    maxHeaderSize: edgeServerOptions.maxHeaderSize,
    setHost: false,
  });

  let settled = false;
  const settle = () => {
    settled = true;
    resolve();
  };
  const onClientGone = () => {
    if (!response.writableFinished) upstream.destroy();
    settle();
  };
  response.once("close", onClientGone);

  let passing: IncomingMessage | undefined;
  upstream.once("response", (answer) => {
    try {
      if (isCoded(answer)) throw new Error("A transfer coding that cannot be passed on");
      if (passage.accept?.(answer) ?? true) {
        passAnswer(answer, passage);
        passing = answer;
      } else answer.destroy();
      settle();
    } catch (error) {
      // What one parser lets through another may refuse to write.
      upstream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
  upstream.once("upgrade", (answer, socket, head) => {
    if (!passage.onSwitch) {
      socket.destroy();
      return;
    }
    response.off("close", onClientGone);
    passage.onSwitch(answer, socket, head);
    settle();
  });
  upstream.on("continue", () => {
    if (passage.expectsContinue && !response.headersSent) response.writeContinue();
  });
  upstream.on("information", (answer) => passInformation(answer, response));
  upstream.on("error", (error) => {
    request.unpipe(upstream);
    // Only here is an end in an error told from an end of the connection that is the end of the body.
    if (passing && !passing.complete) cutOff(response);
    if (settled) return;
    const refused = error instanceof TunnelRefused && error.reason !== "ended";
    settled = true;
    reject(refused ? error : new NoAnswer(isRepeatable(request, upstream), error));
  });
  // Some ends come without an error.
  upstream.once("close", () => {
    if (!settled) reject(new NoAnswer(isRepeatable(request, upstream), undefined));
  });

  sendBody(passage, upstream);
  return promise;
}

function sendBody({ request, expectsContinue }: Passage, upstream: ClientRequest): void {
  if (!hasBody(request)) {
    upstream.end();
    return;
  }
  // Not before there is a connection: until then another one can still be tried.
  upstream.once("socket", () => {
    if (upstream.destroyed) return;
    if (expectsContinue) upstream.flushHeaders();
    else flushSoon(upstream);
    request.pipe(upstream, { end: false });
    request.once("end", () => {
      if (upstream.destroyed) return;
      if (request.rawTrailers.length > 0) upstream.addTrailers(endToEnd(request.rawTrailers, "sandbox"));
      upstream.end();
    });
  });
}

function passAnswer(answer: IncomingMessage, { request, response, address }: Passage): void {
  const headers = responseHeaders(answer, request, address);
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", headers);
  flushSoon(response);
  answer.pipe(response, { end: false });
  answer.once("end", () => {
    if (answer.rawTrailers.length > 0) response.addTrailers(endToEnd(answer.rawTrailers, "client"));
    response.end();
  });
  answer.once("error", () => cutOff(response));
}

/** Hints that come before an answer. */
export function passInformation(
  answer: Pick<InformationEvent, "statusCode" | "rawHeaders">,
  response: ServerResponse,
): void {
  if (answer.statusCode < 102 || response.req.httpVersion === "1.0" || response.headersSent) return;
  try {
    response.writeInformation(answer.statusCode, endToEnd(answer.rawHeaders, "client").flat());
  } catch {
    // A hint that cannot be written is not worth the answer.
  }
}

/** A head waits for the first bytes of its body, to leave in one packet with them, but no longer than this turn. */
export function flushSoon(message: ClientRequest | ServerResponse): void {
  setImmediate(() => {
    if (!message.destroyed && !message.writableEnded) message.flushHeaders();
  });
}

/** Never an end that looks like the body's own. */
export function cutOff(response: ServerResponse): void {
  const { socket } = response;
  if (response.destroyed || response.writableFinished) return;
  // To a client of HTTP/1.0 the end of the connection is the end of the body; only a reset says otherwise.
  if (socket && response.req.httpVersion === "1.0") reset(socket);
  response.destroy();
}

/** Whether the body is wrapped in more than chunks, so that passing its bytes on would lose what they are. */
export function isCoded({ headers }: Pick<IncomingMessage, "headers">): boolean {
  const coding = headers["transfer-encoding"];
  return coding !== undefined && coding.trim().toLowerCase() !== "chunked";
}

/** A kept connection that closes as it is used again says nothing about the request, which was not read. */
function isRepeatable(request: IncomingMessage, upstream: ClientRequest): boolean {
  const safe = request.method === "GET" || request.method === "HEAD" || request.method === "OPTIONS";
  return safe && upstream.reusedSocket && !hasBody(request);
}
