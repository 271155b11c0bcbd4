import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { CastellanError } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { fastify } from "fastify";
import { BearerCheck } from "./bearer-check.ts";
import { errorInterceptor } from "./connect-errors.ts";

export interface RpcServerOptions {
  /** What every call must show as `authorization: Bearer <token>`. */
  readonly clusterToken: string;
  readonly routes: (router: ConnectRouter) => void;
  /** Bytes of one message. */
  readonly maxMessageBytes: number;
  /** Milliseconds between PINGs; a connection that has not answered one by the next is dropped. Default 20,000. */
  readonly pingMs?: number;
  readonly logger: Logger;
}

export interface RpcServer {
  /** Answers the address in use, also as a base URL. Rejects with the system's error when it cannot listen. */
  listen(where: { readonly host: string; readonly port: number }): Promise<{
    readonly url: string;
    readonly address: AddressInfo;
  }>;
  /** Ends streams, lets calls under way answer for a moment, and frees the port. */
  close(): Promise<void>;
}

/** Calls and streams of one connection at a time; others wait for their turn at the client. */
export const maxConcurrentStreams = 250;
/** Longer than any caller waits, and short enough for timers to count. */
const maxTimeoutMs = 600_000;
const defaultPingMs = 20_000;
const streamWindowBytes = 1024 * 1024;
const sessionWindowBytes = 16 * 1024 * 1024;
/** Node refuses new calls on a connection that has more than this queued; a List with all manifests may. */
const sessionMemoryMb = 1_024;
const closeGraceMs = 1_000;

/** Connect services over HTTP/2 without TLS, for those who hold the cluster's token. */
export async function createRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { pingMs = defaultPingMs, logger } = options;
  const sessions = new Set<ServerHttp2Session>();
  const bearer = new BearerCheck(options.clusterToken);
  const shutdown = new AbortController();

  const app = fastify({
    http2: true,
    serverFactory: (handler): Http2Server => {
      const settings = { initialWindowSize: streamWindowBytes, maxConcurrentStreams };
      const server = createServer({ settings, maxSessionMemory: sessionMemoryMb }, handler);
      server.on("session", (session) => {
        sessions.add(session);
        session.once("close", () => sessions.delete(session));
        session.setLocalWindowSize(sessionWindowBytes);
        dropWhenSilent(session, pingMs);
      });
      server.on("sessionError", (error) => logger.debug({ err: error }, "HTTP/2 connection failed"));
      return server;
    },
  });
  app.addHook("onRequest", async ({ headers }) => {
    // What timers cannot count fires at once.
    if (Number(headers["connect-timeout-ms"]) > maxTimeoutMs) headers["connect-timeout-ms"] = String(maxTimeoutMs);
  });
  app.addHook("onSend", async (_request, reply) => {
    // Fastify says it where it drops a body that is too large; HTTP/2 has no such header, and Node complains of it.
    reply.removeHeader("connection");
  });
  await app.register(fastifyConnectPlugin, {
    routes: options.routes,
    // Before the body is read.
    requestGate: ({ requestHeader }) => {
      if (bearer.accepts(requestHeader.get("authorization") ?? undefined)) return;
      throw new ConnectError("The cluster token is missing or wrong", Code.Unauthenticated);
    },
    interceptors: [errorInterceptor(logger)],
    readMaxBytes: options.maxMessageBytes,
    // Kept, every two bytes of a message could become an object of a hundred; nothing here passes them on.
    binaryOptions: { readUnknownFields: false },
    // Everyone here speaks Connect; what nobody uses need not be there.
    grpc: false,
    grpcWeb: false,
    // Compressing a batch's confirmations costs more than everything else about them.
    acceptCompression: [],
    shutdownSignal: shutdown.signal,
  });

  return {
    async listen(where) {
      const url = await app.listen(where);
      return { url, address: boundAddress(app.server.address()) };
    },
    async close() {
      shutdown.abort(new ConnectError("The server is shutting down", Code.Unavailable));
      // Callers keep their connections open; a server that waits for them to close never does.
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, closeGraceMs);
      try {
        await app.close();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** The address that a listening server has. */
export function boundAddress(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === "string") {
    throw new CastellanError("internal", "The server listens on no port");
  }
  return address;
}

/** Long-lived streams carry nothing for hours; only a PING tells a quiet peer from a dead one. */
function dropWhenSilent(session: ServerHttp2Session, pingMs: number): void {
  let unanswered = false;
  const timer = setInterval(() => {
    if (unanswered) {
      session.destroy();
      return;
    }
    if (session.closed || session.destroyed) return;
    unanswered = true;
    session.ping(() => {
      unanswered = false;
    });
  }, pingMs);
  session.once("close", () => clearInterval(timer));
}
