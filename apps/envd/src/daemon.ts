import { once } from "node:events";
import { access } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { Accounts } from "./accounts.ts";
import { callerGate } from "./caller.ts";
import type { DaemonConfig } from "./config.ts";
import { compose } from "./files/compose.ts";
import { download } from "./files/download.ts";
import { checkFileAccess, whileMoving } from "./files/request.ts";
import { upload } from "./files/upload.ts";
import { filesystemService } from "./filesystem/service.ts";
import { Watchers } from "./filesystem/watch/watchers.ts";
import { answer, answerError, HttpError, target } from "./http.ts";
import { init } from "./init.ts";
import { KeptLog, tellLog } from "./kept-log.ts";
import type { Log } from "./log.ts";
import { ResourceMeter } from "./metrics.ts";
import { PipePool } from "./process/pipes.ts";
import { processService } from "./process/service.ts";
import { ProcessTable } from "./process/table.ts";
import { rpcHandler } from "./rpc.ts";
import { CurrentSettings, hasToken } from "./settings.ts";

// An import statement would evaluate every export of the module, one of which loads all of fetch: a third of the start-up.
const { createServer } = process.getBuiltinModule("node:http");

/** A daemon that listens. */
export interface Daemon {
  readonly port: number;
  /** Kills what clients have started, ends their streams and stops listening. */
  close(): Promise<void>;
}

/** How long a connection may be idle between requests. Longer than the edge keeps it, so that the edge closes first. */
const keepAliveMs = 640_000;

/** How long the body of a request may take, uploads apart. */
const bodyMs = 60_000;

const maxConnections = 4096;

const unauthorized = "unauthorized access, please provide a valid access token";

/** Starts the daemon of a sandbox, which tells the node what is in `keptLog`. Resolves once it listens. */
export async function startDaemon(config: DaemonConfig, log: Log, keptLog = new KeptLog()): Promise<Daemon> {
  const accounts = new Accounts(config.passwdFile, config.groupFile);
  const settings = new CurrentSettings();
  const pipes = new PipePool(log);
  const table = new ProcessTable();
  const meter = new ResourceMeter();
  const watchers = new Watchers();
  const requireCaller = callerGate(accounts, settings);
  const rpc = rpcHandler(
    {
      process: processService(settings, config.path, pipes, table, log),
      filesystem: filesystemService(accounts, settings, watchers),
      gate(context) {
        const token = context.requestHeader.get("x-access-token") ?? undefined;
        if (!hasToken(token, settings.current)) throw new ConnectError(unauthorized, Code.Unauthenticated);
        requireCaller(context);
      },
    },
    log,
  );

  const server = createServer(
    { keepAlive: true, keepAliveTimeout: keepAliveMs, requestTimeout: 0 },
    (request, response) => {
      route(request, response).catch((error: unknown) => fail(request, response, error, log));
    },
  );
  server.maxConnections = maxConnections;
  await startThreads();
  server.listen(config.port, config.host);
  await once(server, "listening");
  // In the background: a command that comes at once waits for the rest of it only.
  void pipes.prepare();

  return {
    port: portOf(server),
    async close() {
      table.killAll();
      watchers.closeAll();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      pipes.dispose();
    },
  };

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, query } = target(request);
    // Uploads and streams of input may take as long as they like, as long as something moves.
    if (path === inputStream) void whileMoving(request.socket, () => ended(request));
    else if (path !== "/files") limitBodyTime(request);
    if (rpc(request, response, path)) return;
    switch (path) {
      case "/health":
        allow(request, "GET", "HEAD");
        answer(response, 204);
        return;
      case "/init":
        allow(request, "POST");
        await init(request, config.initSecretHash, settings);
        answer(response, 204);
        return;
      case "/logs":
        allow(request, "GET");
        answer(response, 200, tellLog(request, query, config.logsSecretHash, keptLog));
        return;
      case "/files":
        allow(request, "GET", "POST");
        checkFileAccess(request, query, settings.current);
        await (request.method === "GET" ? download : upload)(request, response, query, accounts, settings.current);
        return;
    }
    if (!hasToken(request.headers["x-access-token"], settings.current)) throw new HttpError(401, unauthorized);
    switch (path) {
      case "/files/compose":
        allow(request, "POST");
        await compose(request, response, accounts, settings.current);
        return;
      case "/metrics":
        allow(request, "GET");
        answer(response, 200, await meter.read());
        return;
      case "/envs":
        allow(request, "GET");
        response.setHeader("cache-control", "no-store");
        answer(response, 200, settings.current.envVars);
        return;
      default:
        throw new HttpError(404, `there is nothing at ${path}`);
    }
  }
}

/**
 * Makes the runtime start its threads for files. It would do so at the first use and end the process if it cannot, which
 * in a sandbox full of processes would end the sandbox.
 */
async function startThreads(): Promise<void> {
  await access("/");
}

const inputStream = "/process.Process/StreamInput";

function ended(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    request.once("close", resolve);
  });
}

/** Cuts the connection of a client that does not get done with sending a message. */
function limitBodyTime(request: IncomingMessage): void {
  const giveUp = setTimeout(() => request.destroy(), bodyMs);
  for (const event of ["end", "close"]) request.once(event, () => clearTimeout(giveUp));
}

function allow(request: IncomingMessage, ...methods: string[]): void {
  if (!methods.includes(request.method ?? "")) throw new HttpError(405, `use ${methods.join(" or ")}`);
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  // What is left of the body is read and thrown away, so that the client gets to see the answer.
  request.resume();
  const { status, message } = error instanceof HttpError ? error : { status: 500, message: "unexpected error" };
  const gone = response.destroyed;
  if (status >= 500 && status !== 507 && !gone) {
    log.error({ err: error, method: request.method, path: target(request).path }, "a request failed");
  }
  answerError(response, status, message);
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
