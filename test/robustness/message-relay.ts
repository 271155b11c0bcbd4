import { createServer, type ServerHttp2Session } from "node:http2";
import { NodeService } from "@castellan/contracts/node";
import { SandboxService, type SandboxUpdateRequest, type UpdateStreamRequest } from "@castellan/contracts/sandbox";
import { createClient, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Dice } from "./dice.ts";

/** Between the control plane and a node: whole messages can come twice and in another order. */
export interface MessageRelay {
  readonly port: number;
  /** Whether updates are duplicated and reordered now. */
  isUnruly: boolean;
  close(): Promise<void>;
}

/** How long a message is kept back, or its copy. */
const longestHoldMs = 400;

export async function startMessageRelay(nodePort: number, clusterToken: string, dice: Dice): Promise<MessageRelay> {
  const baseUrl = `http://127.0.0.1:${nodePort}`;
  const sessionManager = new Http2SessionManager(baseUrl, { pingIntervalMs: 5_000, pingTimeoutMs: 2_000 });
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "2",
    sessionManager,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${clusterToken}`);
        return next(request);
      },
    ],
  });
  const sandboxes = createClient(SandboxService, transport);
  const node = createClient(NodeService, transport);
  const relay = { isUnruly: false };

  const service: Partial<ServiceImpl<typeof SandboxService>> = {
    create: (request, { signal }) => sandboxes.create(request, { signal, timeoutMs: 30_000 }),
    list: (request, { signal }) => sandboxes.list(request, { signal, timeoutMs: 10_000 }),
    delete: (request, { signal }) => sandboxes.delete(request, { signal, timeoutMs: 20_000 }),
    update: async (request: SandboxUpdateRequest, { signal }) => {
      if (relay.isUnruly && dice.oneIn(3)) {
        setTimeout(
          () => void sandboxes.update(request, { timeoutMs: 5_000 }).catch(() => {}),
          dice.below(longestHoldMs),
        );
      }
      return await sandboxes.update(request, { signal, timeoutMs: 10_000 });
    },
    async *updateStream(requests, { signal }) {
      yield* sandboxes.updateStream(unruly(requests, signal), { signal, timeoutMs: 0 });
    },
  };

  async function* unruly(requests: AsyncIterable<UpdateStreamRequest>, signal: AbortSignal) {
    const queue: UpdateStreamRequest[] = [];
    let wake = () => {};
    let ended = false;
    const put = (request: UpdateStreamRequest) => {
      queue.push(request);
      wake();
    };
    const end = () => {
      ended = true;
      wake();
    };
    signal.addEventListener("abort", end);
    const reading = (async () => {
      for await (const request of requests) {
        const isHeld = relay.isUnruly && dice.oneIn(3);
        if (isHeld) setTimeout(() => put(request), dice.below(longestHoldMs));
        else put(request);
        if (relay.isUnruly && dice.oneIn(3)) setTimeout(() => put(request), dice.below(longestHoldMs));
      }
    })();
    reading.catch(() => {}).finally(() => setTimeout(end, relay.isUnruly ? longestHoldMs : 0));
    while (true) {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) yield next;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    connectNodeAdapter({
      routes: (router) => {
        router.service(SandboxService, service);
        router.service(NodeService, { info: (request) => node.info(request, { timeoutMs: 5_000 }) });
      },
    }),
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
    session.once("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  return {
    port: address.port,
    get isUnruly() {
      return relay.isUnruly;
    },
    set isUnruly(value) {
      relay.isUnruly = value;
    },
    async close() {
      for (const session of sessions) session.destroy();
      sessionManager.abort();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
