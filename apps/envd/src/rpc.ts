import type { IncomingMessage, ServerResponse } from "node:http";
import { Filesystem } from "@castellan/contracts/filesystem";
import { Process } from "@castellan/contracts/process";
import { createConnectRouter, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { withConnection } from "./connection.ts";
import { HttpError } from "./http.ts";
import type { Log } from "./log.ts";

/** The implementations behind the RPCs, and what must hold before one of them is asked. */
export interface Services {
  readonly process: Partial<ServiceImpl<typeof Process>>;
  readonly filesystem: Partial<ServiceImpl<typeof Filesystem>>;
  /** Runs before a message is read. Throws a ConnectError to refuse the request. */
  readonly gate: (context: HandlerContext) => void;
}

/** Most bytes in one message: 4 MiB of input for a process, which JSON carries in base64, and what is around it. */
const maxMessageBytes = 6 * 1024 * 1024;

/** The longest time that timers can count, 24.8 days. Longer timeouts are cut to it. */
const maxTimeoutMs = 2 ** 31 - 1;

/**
 * Serves the RPCs over HTTP/1.1: the Connect protocol and gRPC-web, each with JSON and binary messages. Returns a
 * function that takes a request if it is for an RPC, and says whether it was.
 */
export function rpcHandler(
  services: Services,
  log: Log,
): (request: IncomingMessage, response: ServerResponse, path: string) => boolean {
  const router = createConnectRouter({
    grpc: false,
    readMaxBytes: maxMessageBytes,
    requestGate: services.gate,
    jsonOptions: { ignoreUnknownFields: true },
    // Kept, every two bytes of a message could become an object of a hundred, and the sandbox run out of memory.
    binaryOptions: { readUnknownFields: false },
  });
  router.service(Process, services.process).service(Filesystem, services.filesystem);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return (request, response, path) => {
    const handler = handlers.get(path);
    if (!handler) return false;
    boundTimeout(request);
    response.once("finish", () => readRest(request));
    handler(universalRequest(request, response))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((err: unknown) => {
        // Clients come and go; only what they are not to blame for is worth a line.
        if (!response.destroyed) log.error({ err, path }, "an RPC failed");
        response.destroy();
      });
    return true;
  };
}

function universalRequest(request: IncomingMessage, response: ServerResponse): UniversalServerRequest {
  try {
    const universal = universalRequestFromNodeRequest(request, response, undefined, withConnection(request.socket));
    // Its own way of reading destroys the request when it stops early, and the connection would never be read again.
    return { ...universal, body: request.iterator({ destroyOnReturn: false }) };
  } catch (error) {
    throw new HttpError(400, "the request has no usable Host header", { cause: error });
  }
}

/**
 * Reads what is left of a message after its answer, and drops it. The handler stops reading where it knows enough, and
 * the next request on the connection would wait for ever behind the rest.
 */
function readRest(request: IncomingMessage): void {
  if (request.complete) return;
  // Whoever waits for the next part is done, and nothing flows as long as somebody is said to wait.
  request.removeAllListeners("readable");
  setImmediate(() => request.resume());
}

/** A timeout of 0 means none, as clients of this protocol expect; one beyond what timers can count would fire at once. */
function boundTimeout({ headers }: IncomingMessage): void {
  const connect = headers["connect-timeout-ms"];
  if (typeof connect === "string" && /^-?\d+$/.test(connect)) {
    if (Number(connect) <= 0) delete headers["connect-timeout-ms"];
    else if (Number(connect) > maxTimeoutMs) headers["connect-timeout-ms"] = String(maxTimeoutMs);
  }
  const [, amount, unit = ""] = /^(\d{1,8})([HMS])$/.exec(String(headers["grpc-timeout"])) ?? [];
  const seconds = Number(amount) * (unit === "H" ? 3600 : unit === "M" ? 60 : 1);
  if (seconds * 1000 > maxTimeoutMs) headers["grpc-timeout"] = `${Math.floor(maxTimeoutMs / 1000)}S`;
}
