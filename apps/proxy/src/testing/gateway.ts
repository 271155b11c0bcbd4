import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * A gateway that follows the nodes' contract: `CONNECT <sandboxId>:<port>` with the cluster's token and an execution,
 * answered with 200 and then raw bytes, 404 for an execution that it does not have, 502 for a closed port, 401.
 */
export class TestGateway {
  readonly clusterToken: string;
  /** Requests for a connection, as they came. */
  readonly connects: IncomingMessage[] = [];
  /** Set to have connections accepted and then not answered. */
  silent = false;
  /** Set to have a connection answered only once the server has said something, in one piece with that. */
  waitsForServer = false;
  /** Set to a status line's end to have every connection refused with it. */
  refusal: string | undefined;
  readonly #executions = new Map<string, { sandboxId: string; ports: Map<number, number>; sockets: Set<Duplex> }>();
  readonly #server: Server;
  readonly #clients = new Set<Duplex>();

  private constructor(clusterToken: string) {
    this.clusterToken = clusterToken;
    this.#server = createServer();
    this.#server.on("connection", (socket) => {
      this.#clients.add(socket);
      socket.once("close", () => this.#clients.delete(socket));
    });
    this.#server.on("connect", (request, socket, head) => this.#connect(request, socket, head));
  }

  static async start(clusterToken: string): Promise<TestGateway> {
    const gateway = new TestGateway(clusterToken);
    await new Promise<void>((done) => gateway.#server.listen(0, "127.0.0.1", done));
    return gateway;
  }

  get address(): string {
    return `127.0.0.1:${portOf(this.#server)}`;
  }

  /** Connections into executions that are open now. */
  get open(): number {
    return [...this.#executions.values()].reduce((sum, { sockets }) => sum + sockets.size, 0);
  }

  /** Has an execution whose ports are servers on this machine. */
  run(sandboxId: string, executionId: string, ports: Readonly<Record<number, number>>): void {
    const entries = Object.entries(ports).map(([inside, outside]): [number, number] => [Number(inside), outside]);
    this.#executions.set(executionId, { sandboxId, ports: new Map(entries), sockets: new Set() });
  }

  /** Ends an execution, and the connections into it with a reset. */
  kill(executionId: string): void {
    const sockets = this.#executions.get(executionId)?.sockets ?? [];
    this.#executions.delete(executionId);
    for (const socket of sockets) reset(socket);
  }

  async close(): Promise<void> {
    for (const id of [...this.#executions.keys()]) this.kill(id);
    for (const client of this.#clients) client.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #connect(request: IncomingMessage, client: Duplex, head: Buffer): void {
    this.connects.push(request);
    client.on("error", () => client.destroy());
    if (this.silent) return;
    if (this.refusal !== undefined) {
      refuse(client, this.refusal);
      return;
    }
    const [sandboxId, port] = (request.url ?? "").split(":");
    const execution = this.#executions.get(String(request.headers["castellan-execution"]));
    const target = execution?.ports.get(Number(port));
    if (request.headers.authorization !== `Bearer ${this.clusterToken}`) refuse(client, "401 Unauthorized");
    else if (!execution || execution.sandboxId !== sandboxId) refuse(client, "404 Not Found");
    else if (target === undefined) refuse(client, "502 Bad Gateway");
    else this.#join(client, head, target, execution.sockets);
  }

  #join(client: Duplex, head: Buffer, target: number, sockets: Set<Duplex>): void {
    let connected = false;
    const server = connect({ host: "127.0.0.1", port: target, noDelay: true });
    server.on("error", () => (connected ? reset(client) : refuse(client, "502 Bad Gateway")));
    server.once("connect", () => {
      connected = true;
      sockets.add(client);
      const answer = "HTTP/1.1 200 Connected\r\n\r\n";
      const join = (first: string) => {
        client.write(answer + first);
        server.write(head);
        client.pipe(server).pipe(client);
      };
      if (this.waitsForServer) server.once("data", (data) => join(data.toString("latin1")));
      else join("");
    });
    client.once("close", () => {
      sockets.delete(client);
      server.destroy();
    });
  }
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server does not listen on a port");
  return address.port;
}

function refuse(client: Duplex, status: string): void {
  client.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}

function reset(client: Duplex): void {
  if (isSocket(client)) client.resetAndDestroy();
  else client.destroy();
}

function isSocket(stream: Duplex): stream is Socket {
  return "resetAndDestroy" in stream;
}
