import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { coversName } from "@castellan/domain";
import type { RuntimeLogger } from "../../logger.ts";
import { readClientHello } from "./client-hello.ts";
import { type DestinationOptions, Destinations } from "./destination.ts";
import { FilteredConnection } from "./filtered-connection.ts";
import { readRequestHead } from "./request-head.ts";

export interface NameFilterOptions extends DestinationOptions {
  readonly logger: RuntimeLogger;
  readonly limits?: Partial<NameFilterLimits>;
}

export interface NameFilterLimits {
  /** Connections of one sandbox at a time, and of all. */
  readonly perSandbox: number;
  readonly overall: number;
  /** Milliseconds until a connection has named its server, and until that has been reached. */
  readonly namingMs: number;
  readonly connectMs: number;
}

const defaultLimits: NameFilterLimits = { perSandbox: 256, overall: 4_096, namingMs: 10_000, connectMs: 10_000 };

/** The ports to which the firewall redirects what sandboxes send to 80 and to 443. */
export interface NameFilterPorts {
  readonly http: number;
  readonly tls: number;
}

/**
 * Lets sandboxes reach servers by name. A connection that the firewall redirects here is read until it names its server,
 * by the Host of an HTTP request or the SNI of TLS. Where the sandbox's rules allow the name, it is looked up here and
 * joined with that server; the address that the sandbox asked for plays no part.
 */
export class NameFilter {
  readonly ports: NameFilterPorts;
  readonly #servers: readonly Server[];
  readonly #policies: Map<string, readonly string[]>;
  readonly #connections: Set<FilteredConnection>;
  readonly #destinations: Destinations;

  private constructor(
    parts: Pick<NameFilter, "ports"> & {
      servers: readonly Server[];
      policies: Map<string, readonly string[]>;
      connections: Set<FilteredConnection>;
      destinations: Destinations;
    },
  ) {
    this.ports = parts.ports;
    this.#servers = parts.servers;
    this.#policies = parts.policies;
    this.#connections = parts.connections;
    this.#destinations = parts.destinations;
  }

  /** Listens on two free ports. Rejects with the system's error when it cannot. */
  static async start(options: NameFilterOptions): Promise<NameFilter> {
    const limits = { ...defaultLimits, ...options.limits };
    const policies = new Map<string, readonly string[]>();
    const connections = new Set<FilteredConnection>();
    const destinations = new Destinations(options);

    const take = (kind: "http" | "tls") => (socket: Socket) => {
      const sandbox = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
      const patterns = policies.get(sandbox);
      const own = [...connections].filter((one) => one.sandbox === sandbox).length;
      if (patterns === undefined || own >= limits.perSandbox || connections.size >= limits.overall) {
        socket.on("error", () => {});
        socket.resetAndDestroy();
        return;
      }
      const connection = new FilteredConnection(socket, {
        sandbox,
        port: kind === "http" ? 80 : 443,
        read: kind === "http" ? readRequestHead : readClientHello,
        allows: (name) => policies.get(sandbox)?.some((pattern) => coversName(pattern, name)) === true,
        find: (name) => destinations.find(name),
        limits,
        logger: options.logger,
      });
      connections.add(connection);
      connection.closed.then(() => connections.delete(connection));
    };

    const servers = [
      createServer({ allowHalfOpen: true, noDelay: true }, take("http")),
      createServer({ allowHalfOpen: true, noDelay: true }, take("tls")),
    ];
    try {
      const [http = 0, tls = 0] = await Promise.all(servers.map(listen));
      return new NameFilter({ ports: { http, tls }, servers, policies, connections, destinations });
    } catch (error) {
      for (const server of servers) server.close();
      throw error;
    }
  }

  /** What the sandbox with this address may reach by name, from now on; open connections to other names are cut. */
  allow(sandbox: string, patterns: readonly string[]): void {
    if (patterns.length === 0) this.#policies.delete(sandbox);
    else this.#policies.set(sandbox, patterns);
    for (const connection of this.#connections) if (connection.sandbox === sandbox) connection.reconsider();
  }

  /** Cuts everything and frees the ports. */
  async close(): Promise<void> {
    this.#destinations.close();
    for (const connection of this.#connections) connection.cut();
    await Promise.all(this.#servers.map((server) => new Promise((done) => server.close(done))));
  }
}

/**
 * On all addresses, as the firewall redirects to that of each sandbox's own interface. It lets no other sandbox in;
 * whoever else comes is no sandbox with names by his address, and is reset.
 */
async function listen(server: Server): Promise<number> {
  server.listen({ host: "0.0.0.0", port: 0, backlog: 512 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
