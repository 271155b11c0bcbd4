import type { IncomingMessage, ServerOptions } from "node:http";

/**
 * For `http.createServer` or `https.createServer` of a server that an edge is attached to.
 *
 * Header blocks are bounded in size and time. Bodies are not bounded in time: an upload may take hours, and a stream may
 * say nothing for more than ten minutes.
 */
export const edgeServerOptions = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 30_000,
  requestTimeout: 0,
  // How often the bound above is checked.
  connectionsCheckingInterval: 10_000,
  // Longer than the clients (300 s in the Python SDK) and common load balancers (600 s) keep theirs, so that the side
  // that might send the next request is the one that closes.
  keepAliveTimeout: 620_000,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  noDelay: true,
  insecureHTTPParser: false,
  // Node's own refusal has no body; the edge refuses it in the shape of every other error.
  requireHostHeader: false,
  // An offer of HTTP/2 over plain text, which some clients make with every request, is not taken up.
  shouldUpgradeCallback: (request: IncomingMessage) => !/\b(h2c|http\/2|tls)\b/i.test(request.headers.upgrade ?? ""),
} satisfies ServerOptions;
