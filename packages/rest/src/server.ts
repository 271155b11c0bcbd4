import type { Readable } from "node:stream";
import { openapiDocument } from "@castellan/contracts/openapi-document";
import { CastellanError } from "@castellan/domain";
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from "fastify";
import { answerClientError, type ErrorReply, errorReply } from "./errors.ts";
import type {
  Caller,
  Handlers,
  OperationId,
  OperationRequest,
  PublicHandlers,
  PublicOperationId,
  SecuredHandlers,
  SecuredOperationId,
} from "./handlers.ts";
import { readJson } from "./json.ts";
import { checkMediaType, isPublic, type Operation, readOperations, refuseUnknownRoute } from "./operations.ts";
import { createReaderCompiler, type RequestReader } from "./validation.ts";

export interface RestServerOptions {
  readonly handlers: Handlers;
  /** Finds out who has this key. @throws `unauthenticated` on a key that is missing, malformed or unknown. */
  readonly authenticate: (apiKey: string | undefined) => Promise<Caller>;
  readonly logger: FastifyBaseLogger;
  /** What a client reads instead of "Internal error" when this operation fails by a fault of ours. */
  readonly internalMessages?: Partial<Record<OperationId, string>>;
}

/** Bytes of a request's body. */
export const bodyLimit = 256 * 1024;

/** How long a close waits for answers under way, in milliseconds. */
const closeGraceMs = 2_000;

/**
 * A fastify server that serves every operation of `openapi.yaml` by its handler. Every error leaves it as
 * `{"code": <status>, "message"}`. It does not listen yet, and takes further plugins until it is ready.
 */
export function createRestServer(options: RestServerOptions): FastifyInstance {
  const server = fastify({
    loggerInstance: options.logger,
    // A logger of its own for each request costs more than most requests log; the lines carry ids.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    // Long enough for every id; what is longer is no path of ours.
    routerOptions: { maxParamLength: 512 },
    requestTimeout: 30_000,
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => sendError(reply, errorReply(error)),
  });
  // A connection on which nobody has asked anything yet counts as busy, and would hold up a close for ever.
  server.addHook("preClose", async () => {
    const timer = setTimeout(() => server.server.closeAllConnections(), closeGraceMs);
    server.server.once("close", () => clearTimeout(timer));
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(["application/json", "application/merge-patch+json"], { parseAs: "buffer" }, readJson);
  server.decorateRequest("caller", null);

  const operations = readOperations(openapiDocument, options.handlers);
  server.addHook("onRequest", async (request, reply) => {
    // Before a body is read, whatever its type.
    if (request.is404) refuseUnknownRoute(request, reply, operations);
  });
  // For what a plugin's own routes do not have; every other unknown path ends above.
  server.setNotFoundHandler((_request, reply) =>
    sendError(reply, errorReply(new CastellanError("not_found", "There is no such path"))),
  );
  server.setErrorHandler((error, request, reply) => {
    const { operationId } = request.routeOptions.config;
    const answer = errorReply(error, operationId && options.internalMessages?.[operationId]);
    if (answer.status >= 500) {
      const teamId = request.caller?.teamId;
      request.log.error(
        { err: error, operationId, teamId, params: request.params, status: answer.status },
        "request failed",
      );
    }
    sendError(reply, answer);
  });

  const compile = createReaderCompiler();
  for (const operation of operations) {
    const { operationId } = operation;
    if (isPublic(operationId)) {
      bindPublic(operationId, options.handlers[operationId], operation);
    } else {
      bindSecured<SecuredOperationId>(operationId, options.handlers[operationId], operation);
    }
  }
  return server;

  function bindPublic<Id extends PublicOperationId>(id: Id, handler: PublicHandlers[Id], operation: Operation): void {
    const reader = compile<Id>(operation.definition, operation.shared);
    server.route({
      method: operation.method,
      url: operation.url,
      config: { operationId: id },
      onRequest: async (request) => checkMediaType(request, operation.media),
      handler: async (request, reply) => sendReply(reply, await handler(readRequest(reader, request, reply))),
    });
  }

  function bindSecured<Id extends SecuredOperationId>(
    id: Id,
    handler: SecuredHandlers[Id],
    operation: Operation,
  ): void {
    const reader = compile<Id>(operation.definition, operation.shared);
    server.route({
      method: operation.method,
      url: operation.url,
      config: { operationId: id },
      // Before the body is read, so that a stranger's costs nothing.
      onRequest: async (request) => {
        const key = request.headers["x-api-key"];
        request.caller = await options.authenticate(typeof key === "string" ? key : undefined);
        checkMediaType(request, operation.media);
      },
      handler: async (request, reply) => {
        if (request.caller === null) throw new CastellanError("internal", "A secured route ran without a caller");
        return sendReply(reply, await handler(readRequest(reader, request, reply), request.caller));
      },
    });
  }
}

declare module "fastify" {
  interface FastifyContextConfig {
    readonly operationId?: OperationId;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

function readRequest<Id extends OperationId>(
  reader: RequestReader<Id>,
  request: FastifyRequest,
  reply: FastifyReply,
): OperationRequest<Id> {
  const { params, query, headers } = reader.parameters(request);
  let controller: AbortController | undefined;
  return {
    params,
    query,
    headers,
    body: reader.body(request),
    log: request.log,
    // What HEAD gets has no body, and must end.
    prefers: (media) => request.method !== "HEAD" && asksFor(request.headers.accept, media),
    // Made when somebody asks: most requests are over before anyone could lose interest.
    get signal() {
      if (controller === undefined) {
        const aborting = new AbortController();
        controller = aborting;
        if (reply.raw.destroyed) aborting.abort();
        reply.raw.once("close", () => {
          if (!reply.raw.writableFinished) aborting.abort();
        });
      }
      return controller.signal;
    },
  };
}

/** What every answer of the contract is. */
interface AnyReply {
  readonly status: number;
  readonly body?: unknown;
  readonly stream?: Readable | undefined;
  readonly headers?: object | undefined;
}

function sendReply(reply: FastifyReply, { status, body, stream, headers = {} }: AnyReply): FastifyReply {
  reply.code(status);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) reply.header(name, value);
  }
  if (stream !== undefined) {
    // No proxy on the way may keep events back.
    reply.header("Cache-Control", "no-store, no-transform").header("X-Accel-Buffering", "no");
    return reply.type("text/event-stream; charset=utf-8").send(stream);
  }
  if (body === undefined) return reply.send();
  // Plain JSON.stringify keeps a metadata key "__proto__", which a compiled serializer would lose.
  return reply.type("application/json; charset=utf-8").send(JSON.stringify(body));
}

function asksFor(accept: string | undefined, media: string): boolean {
  return (accept ?? "").split(",").some((part) => part.split(";", 1)[0]?.trim().toLowerCase() === media);
}

function sendError(reply: FastifyReply, { status, body, retryAfter }: ErrorReply): void {
  if (retryAfter !== undefined) reply.header("Retry-After", retryAfter);
  reply.code(status).type("application/json; charset=utf-8").send(JSON.stringify(body));
}
