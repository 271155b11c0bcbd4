import { Agent, type ClientRequestArgs, request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { EdgeLimits } from "./limits.ts";
import { type Line, Lines } from "./lines.ts";
import type { RouteTarget } from "./route.ts";

/** Why a gateway gave no connection to a port. No byte of the request was sent. */
export type RefusalReason =
  /** The node does not have this execution. */
  | "execution_unknown"
  /** Nothing in the sandbox listens there. */
  | "port_closed"
  /** Something may listen there, but takes no connection. */
  | "port_silent"
  /** The node holds as many connections into the execution as it may. */
  | "full"
  /** The node does not answer, or not as it should. */
  | "out_of_reach"
  /** The execution ended meanwhile. */
  | "ended";

export class TunnelRefused extends Error {
  override readonly name = "TunnelRefused";
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** The connections into sandboxes, by execution: nothing of one is ever used for another. */
export class Tunnels {
  readonly #clusterToken: string;
  readonly #limits: EdgeLimits;
  readonly #executions = new Map<string, ExecutionTunnels>();

  constructor(clusterToken: string, limits: EdgeLimits) {
    this.#clusterToken = clusterToken;
    this.#limits = limits;
  }

  /** Room for one request or upgraded connection, to be released once; `undefined` at the limit. */
  admit(target: RouteTarget): ExecutionTunnels | undefined {
    let tunnels = this.#executions.get(target.executionId);
    if (!tunnels) {
      tunnels = new ExecutionTunnels(target, this.#clusterToken, this.#limits, (unused) => this.#drop(unused));
      this.#executions.set(target.executionId, tunnels);
    }
    return tunnels.admit() ? tunnels : undefined;
  }

  /** Destroys every connection into the executions of a sandbox, except into one that goes on. */
  end(sandboxId: string, exceptExecutionId?: string): void {
    for (const tunnels of this.#executions.values()) {
      if (tunnels.target.sandboxId === sandboxId && tunnels.target.executionId !== exceptExecutionId) tunnels.end();
    }
  }

  close(): void {
    for (const tunnels of this.#executions.values()) tunnels.end();
  }

  #drop(tunnels: ExecutionTunnels): void {
    const { executionId } = tunnels.target;
    if (this.#executions.get(executionId) === tunnels) this.#executions.delete(executionId);
  }
}

/** The connections into one execution, made by its node's gateway. */
export class ExecutionTunnels {
  readonly target: RouteTarget;
  /** For requests of any kind. */
  readonly agent: Agent;
  readonly #lines = new Map<number, Lines>();
  readonly #clusterToken: string;
  readonly #limits: EdgeLimits;
  readonly #onUnused: (tunnels: ExecutionTunnels) => void;
  readonly #sockets = new Set<Socket>();
  readonly #ending = new AbortController();
  #admitted = 0;

  constructor(
    target: RouteTarget,
    clusterToken: string,
    limits: EdgeLimits,
    onUnused: (tunnels: ExecutionTunnels) => void,
  ) {
    this.target = target;
    this.#clusterToken = clusterToken;
    this.#limits = limits;
    this.#onUnused = onUnused;
    this.agent = new TunnelAgent(limits, (port) => this.#open(port));
  }

  /** For requests without a body, to be released when its answer has ended. */
  lineTo(port: number): Line {
    let lines = this.#lines.get(port);
    if (!lines) {
      lines = new Lines(() => this.#open(port), this.#limits);
      this.#lines.set(port, lines);
    }
    return lines.take();
  }

  admit(): boolean {
    if (this.#ending.signal.aborted || this.#admitted >= this.#limits.maxRequestsPerExecution) return false;
    this.#admitted++;
    return true;
  }

  release(): void {
    this.#admitted--;
    this.#dropIfUnused();
  }

  /** Closes the idle connections to a port, so that the next request gets a new one. */
  closeIdle(port: number): void {
    for (const socket of [...(this.agent.freeSockets[this.agent.getName({ port })] ?? [])]) socket.destroy();
    this.#lines.get(port)?.closeIdle();
  }

  /** The execution has ended: so does everything that goes into it, in an error. */
  end(): void {
    const ended = new TunnelRefused("ended", "The execution has ended");
    this.#ending.abort(ended);
    for (const socket of this.#sockets) socket.destroy(ended);
    this.#onUnused(this);
  }

  #dropIfUnused(): void {
    if (this.#admitted === 0 && this.#sockets.size === 0) this.#onUnused(this);
  }

  async #open(port: number): Promise<Socket> {
    const socket = await connectThroughGateway(this.target, port, this.#clusterToken, {
      timeoutMs: this.#limits.connectTimeoutMs,
      signal: this.#ending.signal,
    });
    if (this.#ending.signal.aborted) {
      socket.destroy();
      throw this.#ending.signal.reason;
    }
    this.#sockets.add(socket);
    // Whoever uses the connection hears of errors too; between two users nobody does.
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#dropIfUnused();
    });
    return socket;
  }
}

class TunnelAgent extends Agent {
  readonly #open: (port: number) => Promise<Duplex>;

  constructor(limits: EdgeLimits, open: (port: number) => Promise<Duplex>) {
    // An agent's timeout closes idle connections only; the requests' own streams may be silent for as long as they like.
    super({ keepAlive: true, maxFreeSockets: limits.maxIdlePerPort, timeout: limits.idleMs });
    this.#open = open;
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | undefined {
    this.#open(Number(options.port)).then(
      (socket) => callback?.(null, socket),
      (error: Error) => callback?.(error, noStream),
    );
    return undefined;
  }
}

/** The types want a stream beside an error, too; nothing looks at it. */
const noStream = new Duplex();

interface ConnectOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * A connection to a port of an execution, opened by its node's gateway.
 * @throws TunnelRefused
 */
function connectThroughGateway(
  target: RouteTarget,
  port: number,
  clusterToken: string,
  { timeoutMs, signal }: ConnectOptions,
): Promise<Socket> {
  const { host, port: gatewayPort } = splitAddress(target.gatewayAddress);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const connect = httpRequest({
    method: "CONNECT",
    host,
    port: gatewayPort,
    path: `${target.sandboxId}:${port}`,
    headers: { authorization: `Bearer ${clusterToken}`, "castellan-execution": target.executionId },
    agent: gatewayAgent,
    signal,
  });
  const deadline = setTimeout(() => connect.destroy(new Error(`No answer within ${timeoutMs} ms`)), timeoutMs);
  connect.once("connect", (answer, socket: Socket, head) => {
    clearTimeout(deadline);
    const refusal = refusalOf(answer.statusCode);
    if (refusal) {
      socket.destroy();
      reject(refusal);
      return;
    }
    // Notices a node that is gone without a word; nothing else ends a silent stream.
    socket.setKeepAlive(true, 30_000);
    socket.setNoDelay(true);
    if (head.length > 0) socket.unshift(head);
    resolve(socket);
  });
  connect.once("error", (cause) => {
    clearTimeout(deadline);
    const ended = signal.aborted && signal.reason instanceof TunnelRefused;
    reject(
      ended
        ? signal.reason
        : new TunnelRefused("out_of_reach", `The gateway at ${target.gatewayAddress} does not answer`, cause),
    );
  });
  connect.end();
  return promise;
}

/** One connection per tunnel: it becomes the tunnel. */
const gatewayAgent = new Agent({ keepAlive: false });

function refusalOf(status: number | undefined): TunnelRefused | undefined {
  switch (status) {
    case 200:
      return undefined;
    case 404:
      return new TunnelRefused("execution_unknown", "The node does not have this execution");
    case 502:
      return new TunnelRefused("port_closed", "Nothing listens on this port");
    case 503:
      return new TunnelRefused("full", "The node takes no more connections into this execution");
    case 504:
      return new TunnelRefused("port_silent", "The port takes no connection");
    case 401:
      return new TunnelRefused("out_of_reach", "The gateway does not take this cluster's token");
    default:
      return new TunnelRefused("out_of_reach", `The gateway answered with ${status}`);
  }
}

function splitAddress(address: string): { host: string; port: number } {
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) };
}
