import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { NodeService } from "@castellan/contracts/node";
import { SandboxService } from "@castellan/contracts/sandbox";
import { CastellanError } from "@castellan/domain";
import type { Logger } from "@castellan/telemetry";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { fastify } from "fastify";
import { BearerCheck } from "../authorization.ts";
import { errorInterceptor } from "./connect-errors.ts";

export interface RpcServerOptions {
  readonly host: string;
  readonly port: number;
  readonly clusterToken: string;
  readonly sandboxService: ServiceImpl<typeof SandboxService>;
  readonly nodeService: ServiceImpl<typeof NodeService>;
  /** Milliseconds between PINGs; a connection that has not answered one by the next is dropped. */
  readonly pingMs: number;
  readonly logger: Logger;
}

export interface RpcServer {
  readonly address: AddressInfo;
  /** Ends streams, lets calls under way answer for a moment, and frees the port. */
  close(): Promise<void>;
}

/** One message; far above what a turn of the event loop gathers, 1,000 edits of the largest metadata. */
const maxMessageBytes = 128 * 1024 * 1024;
/** Longer than any caller waits, and short enough for timers to count. */
const maxTimeoutMs = 600_000;
const streamWindowBytes = 1024 * 1024;
const sessionWindowBytes = 16 * 1024 * 1024;
/** Node refuses new calls on a connection that has more than this queued; a List with all manifests may. */
const sessionMemoryMb = 1_024;
const closeGraceMs = 1_000;

/** Serves the node's Connect services over HTTP/2 without TLS. Rejects with the system's error when it cannot listen. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { host, port, clusterToken, pingMs, logger } = options;
  const sessions = new Set<ServerHttp2Session>();
  const bearer = new BearerCheck(clusterToken);
  const shutdown = new AbortController();

  const app = fastify({
    http2: true,
    serverFactory: (handler): Http2Server => {
      const server = createServer(
        { settings: { initialWindowSize: streamWindowBytes }, maxSessionMemory: sessionMemoryMb },
        handler,
      );
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
  await app.register(fastifyConnectPlugin, {
    routes: (router) => {
      router.service(SandboxService, options.sandboxService);
      router.service(NodeService, options.nodeService);
    },
    // Before the body is read.
    requestGate: ({ requestHeader }) => {
      if (bearer.accepts(requestHeader.get("authorization") ?? undefined)) return;
      throw new ConnectError("The cluster token is missing or wrong", Code.Unauthenticated);
    },
    interceptors: [errorInterceptor(logger)],
    readMaxBytes: maxMessageBytes,
    // The control plane speaks Connect; what nobody uses need not be there.
    grpc: false,
    grpcWeb: false,
    // Compressing a batch's confirmations costs more than everything else about them.
    acceptCompression: [],
    shutdownSignal: shutdown.signal,
  });
  await app.listen({ host, port });

  return {
    address: boundAddress(app.server.address()),
    async close() {
      shutdown.abort(new ConnectError("The node is shutting down", Code.Unavailable));
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
