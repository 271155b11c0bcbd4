import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import type { ControlPlaneOptions } from "./options.ts";

/** The REST API, the registry that nodes register with, and the loops that keep store and nodes in agreement. */
export interface ControlPlane {
  /** The REST API. Ready, but not listening: either let it listen, or give its requests to `handle`. */
  readonly rest: FastifyInstance;
  /** A listener for `request`, so that the API can share a port with the edge. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Connect over HTTP/2 without TLS (h2c), for nodes. Ready, but not listening. */
  readonly registry: RegistryServer;
  /**
   * Where a sandbox runs. `undefined`: there is no such sandbox. Rejects when that cannot be said now: unknown is not
   * gone. It asks the store each time; `fresh` also asks it for the nodes.
   */
  locate(sandboxId: string, options?: { readonly fresh?: boolean }): Promise<RouteTarget | undefined>;
  /** Calls `listener` whenever this process learns that a sandbox's execution has ended. Answers how to stop that. */
  onEnded(listener: (sandboxId: string) => void): () => void;
  /** Starts the loops. */
  start(): void;
  /** Stops loops, streams and both servers; waits for what is being answered. */
  close(): Promise<void>;
}

export interface RegistryServer {
  /** Answers the address in use, as a base URL. */
  listen(options: { readonly host: string; readonly port: number }): Promise<string>;
  close(): Promise<unknown>;
}

/** Where a sandbox runs, and who may talk to it. */
export interface RouteTarget {
  readonly sandboxId: string;
  /** New at every start, resume and fork; no connection outlives it. */
  readonly executionId: string;
  readonly state: "running" | "paused";
  /** `host:port` of the gateway of its node. */
  readonly gatewayAddress: string;
  /** What a request must carry when the sandbox takes no public traffic. */
  readonly trafficAccessToken?: string;
  readonly publicTraffic: boolean;
}

export async function createControlPlane(_options: ControlPlaneOptions): Promise<ControlPlane> {
  throw new Error("Not built yet");
}
