import type { IncomingMessage, ServerResponse } from "node:http";
import { hasCode } from "@castellan/domain";
import { type Address, addressOf } from "./address.ts";
import { badRequest, expectationFailed, send } from "./answers.ts";
import { ApiDeadline } from "./api-deadline.ts";
import type { Edge, EdgeOptions } from "./edge.ts";
import { hasBody } from "./headers.ts";
import { defaultLimits, type EdgeLimits } from "./limits.ts";
import { NotHttp } from "./not-http.ts";
import { Routes } from "./routes.ts";
import { type Entry, SandboxEntrance } from "./sandbox-entrance.ts";
import { edgeServerOptions } from "./server.ts";
import { isForFiles } from "./signatures/signed-url.ts";
import { Tunnels } from "./tunnels.ts";
import { UnaddressedRequests } from "./unaddressed.ts";
import { WaitingClient } from "./waiting-client.ts";

/** Creates an edge. It owns its connections into sandboxes, and a timer, until it is closed. */
export function createEdge(options: EdgeOptions): Edge {
  const limits: EdgeLimits = { ...defaultLimits, ...options.limits };
  const routes = new Routes(options.locate, limits);
  const tunnels = new Tunnels(options.clusterToken, limits);
  const entrance = new SandboxEntrance({ ...options, limits, routes, tunnels });
  const apiDeadline = new ApiDeadline(limits.apiRequestTimeoutMs);
  const notHttp = new NotHttp();
  const unaddressed = new UnaddressedRequests({
    api: options.api,
    liveTokens: options.liveTokens,
    deadline: apiDeadline,
    limits,
    logger: options.logger,
    enter: (entry, address) => entrance.enter({ ...entry, address }),
  });
  let closed = false;

  function take(entry: Omit<Entry, "address">): void {
    const { request, response } = entry;
    if (closed) {
      request.socket.destroy();
      return;
    }
    notHttp.watch(request, response);
    if (request.headers.host === undefined && request.httpVersion !== "1.0") {
      send(request, response, badRequest("The Host header is missing"));
      return;
    }
    if (entry.upgrade && hasBody(request)) {
      send(request, response, badRequest("A request that switches protocols cannot have a body"));
      return;
    }
    let address: Address | undefined;
    try {
      address = addressOf(request.headers, options.domain);
    } catch (error) {
      if (!hasCode(error, "invalid_argument")) throw error;
      send(request, response, badRequest(error.message));
      return;
    }
    if (address) {
      if (hasBody(request)) boundUnreadBody(request, response, limits.unreadBodyMs);
      entrance.enter({ ...entry, address });
      return;
    }
    if (isForFiles(request) && hasBody(request)) boundUnreadBody(request, response, limits.unreadBodyMs);
    unaddressed.handle(entry);
  }

  const edge: Edge = {
    handle: (request, response) => take({ request, response, expectsContinue: false }),
    upgrade: (request, socket, head) => {
      const client = new WaitingClient(request, socket, head);
      take({ request, response: client.response, expectsContinue: false, upgrade: client });
    },
    attach: (server) => {
      server.on("request", edge.handle);
      server.on("upgrade", edge.upgrade);
      server.on("checkContinue", (request, response) => take({ request, response, expectsContinue: true }));
      server.on("checkExpectation", (request, response) => {
        notHttp.watch(request, response);
        send(request, response, expectationFailed);
        boundUnreadBody(request, response, limits.unreadBodyMs);
      });
      server.on("clientError", notHttp.refuse);
      server.on("connect", notHttp.refuseConnect);
      server.maxConnections = limits.maxConnections;
      server.requestTimeout = edgeServerOptions.requestTimeout;
      server.headersTimeout = edgeServerOptions.headersTimeout;
      server.keepAliveTimeout = edgeServerOptions.keepAliveTimeout;
      server.timeout = 0;
    },
    invalidate: (sandboxId) => {
      routes.forget(sandboxId);
      tunnels.end(sandboxId);
    },
    close: () => {
      closed = true;
      apiDeadline.close();
      tunnels.close();
    },
  };
  return edge;
}

/**
 * After an answer that came before the request's end, the rest is read for a moment, so that the client sees the answer
 * and not a reset; then the connection goes.
 */
function boundUnreadBody(request: IncomingMessage, response: ServerResponse, ms: number): void {
  response.once("finish", () => {
    if (request.complete) return;
    request.resume();
    const timer = setTimeout(() => request.socket.destroy(), ms);
    request.once("end", () => clearTimeout(timer));
    request.once("close", () => clearTimeout(timer));
  });
}
