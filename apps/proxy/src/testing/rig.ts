import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server,
  type ServerOptions,
} from "node:http";
import { connect, type Socket } from "node:net";
import { createLogger } from "@castellan/telemetry";
import { afterEach } from "vitest";
import { createEdge, type Edge, type EdgeOptions, edgeServerOptions, type RouteTarget } from "../index.ts";
import { portOf, TestGateway } from "./gateway.ts";

export const domain = "localhost:3000";
export const sandboxId = "iaaaaaaaaaaaaaaaaaaaa";
export const executionId = "eaaaaaaaaaaaaaaaaaaaaaaaa";

/** An edge with a node's gateway behind it, over real sockets, until the end of the test. */
export interface Rig {
  readonly edge: Edge;
  readonly port: number;
  readonly url: string;
  readonly gateway: TestGateway;
  /** What the store would say; the tests change it. */
  readonly routes: Map<string, RouteTarget>;
  /** How often the store was asked, and how. */
  readonly asked: { readonly sandboxId: string; readonly fresh: boolean }[];
}

export interface RigOptions extends Partial<EdgeOptions> {
  /** Servers in the sandbox, by port. */
  readonly ports?: Readonly<Record<number, RequestListener | Server>>;
  readonly target?: Partial<RouteTarget>;
  readonly server?: ServerOptions;
}

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export function atEnd(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

export async function startRig({
  ports = {},
  target,
  server: serverOptions,
  ...options
}: RigOptions = {}): Promise<Rig> {
  const clusterToken = "cluster-token-of-the-test";
  const gateway = await TestGateway.start(clusterToken);
  atEnd(() => gateway.close());
  const real: Record<number, number> = {};
  for (const [inside, app] of Object.entries(ports)) real[Number(inside)] = await serve(app);
  gateway.run(sandboxId, executionId, real);

  const routes = new Map<string, RouteTarget>();
  routes.set(sandboxId, {
    sandboxId,
    executionId,
    state: "running",
    gatewayAddress: gateway.address,
    publicTraffic: true,
    ...target,
  });
  const asked: { sandboxId: string; fresh: boolean }[] = [];
  const edge = createEdge({
    locate: async (id, how) => {
      asked.push({ sandboxId: id, fresh: how?.fresh ?? false });
      return routes.get(id);
    },
    domain,
    clusterToken,
    logger: createLogger("edge-test", "silent"),
    ...options,
  });
  atEnd(() => edge.close());
  const server = createServer({ ...edgeServerOptions, ...serverOptions });
  edge.attach(server);
  if (serverOptions?.headersTimeout) server.headersTimeout = serverOptions.headersTimeout;
  const port = await listen(server);
  return { edge, port, url: `http://127.0.0.1:${port}`, gateway, routes, asked };
}

/** Serves on a free port of this machine until the end of the test. */
export async function serve(app: RequestListener | Server): Promise<number> {
  return await listen(typeof app === "function" ? createServer(app) : app);
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  return portOf(server);
}

/** The headers that name a port of the test's sandbox. */
export function to(port: number, id: string = sandboxId): Record<string, string> {
  return { "E2b-Sandbox-Id": id, "E2b-Sandbox-Port": String(port) };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: string[];
  readonly trailers: IncomingMessage["trailers"];
  readonly body: string;
}

/** Sends one request and reads the whole answer. Rejects when it breaks off. */
export async function ask(rig: Rig, options: RequestOptions, body?: string | Buffer): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = httpRequest({ host: "127.0.0.1", port: rig.port, agent: false, ...options });
  request.on("error", reject);
  request.on("response", (answer) => {
    const chunks: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.on("error", reject);
    answer.on("end", () =>
      resolve({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        rawHeaders: answer.rawHeaders,
        trailers: answer.trailers,
        body: Buffer.concat(chunks).toString(),
      }),
    );
  });
  request.end(body);
  return promise;
}

/** A plain connection to the edge, until the end of the test, and everything that came over it. */
export async function open(
  rig: Rig,
): Promise<{ socket: Socket; received: () => string; closed: Promise<Error | undefined> }> {
  const socket = connect({ host: "127.0.0.1", port: rig.port, noDelay: true });
  atEnd(() => socket.destroy());
  let text = "";
  let failure: Error | undefined;
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", (error) => {
    failure = error;
  });
  const closed = new Promise<Error | undefined>((done) => socket.once("close", () => done(failure)));
  await new Promise<void>((done) => socket.once("connect", done));
  return { socket, received: () => text, closed };
}

/** Waits until something holds; fails with what it is about after ten seconds, or `ms`. */
export async function until(what: string, holds: () => boolean, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`Not within ${ms} ms: ${what}`);
    await new Promise((next) => setTimeout(next, 5));
  }
}
