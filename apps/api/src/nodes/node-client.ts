import { NodeService } from "@castellan/contracts/node";
import { SandboxService } from "@castellan/contracts/sandbox";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** The services of one node, over one HTTP/2 connection that reconnects by itself. */
export interface NodeClient {
  readonly sandboxes: Client<typeof SandboxService>;
  readonly node: Client<typeof NodeService>;
  /** Breaks the connection; calls in flight fail. */
  close(): void;
}

/** A List with manifests of some thousand sandboxes with full metadata. */
const readMaxBytes = 256 * 1024 * 1024;

export function connectToNode(address: string, clusterToken: string): NodeClient {
  const sessions = new Http2SessionManager(address, { pingIntervalMs: 10_000, pingTimeoutMs: 3_000 });
  const bearer: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${clusterToken}`);
    return next(request);
  };
  const transport = createConnectTransport({
    httpVersion: "2",
    baseUrl: address,
    sessionManager: sessions,
    useBinaryFormat: true,
    // Compressing costs more than the bytes do between neighbours.
    acceptCompression: [],
    interceptors: [bearer],
    readMaxBytes,
  });
  return {
    sandboxes: createClient(SandboxService, transport),
    node: createClient(NodeService, transport),
    close: () => sessions.abort(),
  };
}
