import { createServer, type IncomingMessage, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CastellanError, type ErrorCode } from "@castellan/domain";
import { BearerCheck, boundAddress } from "@castellan/rpc";
import type { Logger } from "@castellan/telemetry";
import { joinSockets } from "./tunnel.ts";

export interface GatewayOptions {
  readonly host: string;
  readonly port: number;
  readonly clusterToken: string;
  /** The id of the execution that traffic goes to: the named one or else the sandbox's current one, while it runs. */
  readonly find: (sandboxId: string, executionId?: string) => string | undefined;
  /** As `NodeRuntime.connect`. */
  readonly connect: (executionId: string, port: number, signal: AbortSignal) => Promise<Socket>;
  /** Milliseconds for `connect`. */
  readonly connectMs: number;
  /** The most tunnels into one execution. Default 1,024. */
  readonly maxTunnels?: number;
  readonly logger: Logger;
}

/**
 * The way into the sandboxes' networks: `CONNECT <sandboxId>:<port> HTTP/1.1` with `authorization: Bearer <token>` and
 * optionally `castellan-execution: <executionId>` answers 200 and is a tunnel of raw bytes from then on.
 *
 * Other answers have a JSON body `{code, message}` and end the connection: 400 `invalid_argument`, 401
 * `unauthenticated`, 404 `not_found` (no such sandbox or execution here), 502 `unavailable` (nothing listens on the
 * port), 503 `quota_exceeded` (too many tunnels), 504 `deadline_exceeded`.
 */
export interface Gateway {
  readonly address: AddressInfo;
  /** Cuts every tunnel of an execution, and those that are being opened. */
  cut(executionId: string): void;
  /** Cuts all tunnels and frees the port. */
  close(): Promise<void>;
}

const defaultMaxTunnels = 1_024;
const headersMs = 10_000;

/** Rejects with the system's error when it cannot listen. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host, port, logger } = options;
  const tunnels = new Tunnels();
  const bearer = new BearerCheck(options.clusterToken);
  const maxTunnels = options.maxTunnels ?? defaultMaxTunnels;

  const server = createServer({ headersTimeout: headersMs, requestTimeout: headersMs });
  server.on("request", (_request, response) => {
    const body = errorBody("invalid_argument", "The gateway takes CONNECT only");
    response.writeHead(400, { "content-type": "application/json", connection: "close" }).end(body);
  });
  server.on("connect", (request, client, head) => {
    client.on("error", (error) => logger.debug({ err: error }, "gateway client failed"));
    open(request, client, head).catch((error: unknown) => {
      const { code, message, cause } = CastellanError.from(error);
      logger.debug({ target: request.url, code, err: cause ?? error }, "gateway refused a connection");
      refuse(client, code, message);
    });
  });

  async function open(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    if (!bearer.accepts(request.headers.authorization)) {
      throw new CastellanError("unauthenticated", "The cluster token is missing or wrong");
    }
    const target = parseTarget(request.url);
    const named = request.headers["castellan-execution"];
    const executionId = options.find(target.sandboxId, typeof named === "string" ? named : undefined);
    if (executionId === undefined) {
      throw new CastellanError("not_found", "The node runs no such sandbox or execution");
    }
    if (tunnels.count(executionId) >= maxTunnels) {
      throw new CastellanError("quota_exceeded", `A sandbox takes at most ${maxTunnels} connections`);
    }

    const opening = new AbortController();
    const giveUp = () => opening.abort(new CastellanError("cancelled", "The caller went away"));
    const timer = setTimeout(() => {
      opening.abort(new CastellanError("deadline_exceeded", "The port did not answer in time"));
    }, options.connectMs);
    client.once("close", giveUp);
    const leave = tunnels.enter(executionId, () =>
      opening.abort(new CastellanError("not_found", "The sandbox has ended")),
    );
    let sandbox: Socket;
    try {
      sandbox = await options.connect(executionId, target.port, opening.signal);
    } catch (error) {
      throw opening.signal.aborted ? opening.signal.reason : error;
    } finally {
      clearTimeout(timer);
      client.off("close", giveUp);
      leave();
    }
    if (opening.signal.aborted) {
      sandbox.destroy();
      throw opening.signal.reason;
    }
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (head.length > 0) sandbox.write(head);
    const tunnel = joinSockets(client, sandbox);
    const leaveTunnel = tunnels.enter(executionId, () => tunnel.cut());
    tunnel.closed.then(leaveTunnel);
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });

  return {
    address: boundAddress(server.address()),
    cut: (executionId) => tunnels.cut(executionId),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      tunnels.cutAll();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What is open or being opened, by execution. */
class Tunnels {
  readonly #cuts = new Map<string, Set<() => void>>();

  count(executionId: string): number {
    return this.#cuts.get(executionId)?.size ?? 0;
  }

  enter(executionId: string, cut: () => void): () => void {
    let cuts = this.#cuts.get(executionId);
    if (cuts === undefined) {
      cuts = new Set();
      this.#cuts.set(executionId, cuts);
    }
    const own = cuts;
    own.add(cut);
    return () => {
      own.delete(cut);
      if (own.size === 0 && this.#cuts.get(executionId) === own) this.#cuts.delete(executionId);
    };
  }

  cut(executionId: string): void {
    for (const cut of [...(this.#cuts.get(executionId) ?? [])]) cut();
  }

  cutAll(): void {
    for (const executionId of [...this.#cuts.keys()]) this.cut(executionId);
  }
}

function parseTarget(target: string | undefined): { sandboxId: string; port: number } {
  const [, sandboxId, digits] = /^([a-z0-9]{1,64}):([1-9]\d{0,4})$/.exec(target ?? "") ?? [];
  const port = Number(digits);
  if (sandboxId === undefined || port > 65_535) {
    throw new CastellanError("invalid_argument", "The target must be <sandboxId>:<port>");
  }
  return { sandboxId, port };
}

const statuses: Partial<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  unauthenticated: 401,
  not_found: 404,
  unavailable: 502,
  quota_exceeded: 503,
  deadline_exceeded: 504,
};

function refuse(client: Duplex, code: ErrorCode, message: string): void {
  const status = statuses[code] ?? 500;
  const body = errorBody(code, status === 500 ? "Internal error" : message);
  client.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // A caller that never closes its side would keep the socket.
  client.resume();
  setTimeout(() => client.destroy(), lingerMs).unref();
}

const lingerMs = 1_000;

function errorBody(code: ErrorCode, message: string): string {
  return JSON.stringify({ code, message });
}
