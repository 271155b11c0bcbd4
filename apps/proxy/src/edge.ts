import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import type { Logger } from "@castellan/telemetry";
import type { EdgeLimits } from "./limits.ts";
import type { Locate } from "./route.ts";
import type { ListLiveTokens } from "./signatures/live-tokens.ts";

export interface EdgeOptions {
  /** Where a sandbox runs. Called once per sandbox and `limits.routeTtlMs`, and again whenever its node disagrees. */
  readonly locate: Locate;
  /**
   * Lists the tokens of secure sandboxes, by which signed file URLs that name no sandbox find theirs. Without it such
   * URLs are served only on a sandbox's own host.
   */
  readonly liveTokens?: ListLiveTokens;
  /** Takes every request of the same origin that is not for a sandbox. Without it such requests get 404. */
  readonly api?: (request: IncomingMessage, response: ServerResponse) => void;
  /** The domain under which `<port>-<sandboxId>` is a host name; a port in it is ignored. For example `localhost:3000`. */
  readonly domain: string;
  /** What the nodes' gateways ask for. Never leaves the connections to the gateways. */
  readonly clusterToken: string;
  readonly logger: Logger;
  readonly limits?: Partial<EdgeLimits>;
}

/** The edge: takes a request, finds its sandbox, and passes it through the gateway of the sandbox's node. */
export interface Edge {
  /** A listener for `request`. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** A listener for `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * Listens on a server (made with `edgeServerOptions`) for requests, upgrades and `Expect: 100-continue`, and sets its
   * timeouts. Closing the server stays with its owner.
   */
  attach(server: Server | SecureServer): void;
  /**
   * Forgets where a sandbox runs and destroys every connection into it. For whoever knows first that an execution has
   * ended: with a kill or a pause.
   */
  invalidate(sandboxId: string): void;
  /** Destroys every connection into sandboxes and stops timers. */
  close(): void;
}
