import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { NodeService } from "@castellan/contracts/node";
import {
  type SandboxListResponse,
  SandboxService,
  type SandboxUpdateRequest,
  type UpdateStreamResponse,
  UpdateStreamResponseSchema,
} from "@castellan/contracts/sandbox";
import { createClient, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";

/** Stands between a control plane and a node and can hold back updates, to hand them on in another order. */
export interface NodeRelay {
  /** host:port that the node advertises. */
  readonly address: string;
  /** How many updates wait. */
  readonly held: number;
  /** From now on updates wait instead of going on. */
  hold(): void;
  /** Hands on what waits, in the order that `reorder` makes of it, and holds no more. */
  release(reorder?: (updates: readonly SandboxUpdateRequest[]) => readonly SandboxUpdateRequest[]): Promise<void>;
  close(): Promise<void>;
}

export async function createNodeRelay(nodeUrl: string, clusterToken: string): Promise<NodeRelay> {
  const node = createClient(SandboxService, transportTo(nodeUrl, clusterToken));
  const waiting = new Map<SandboxUpdateRequest, (response: UpdateStreamResponse) => void>();
  let holding = false;

  async function forward(update: SandboxUpdateRequest): Promise<UpdateStreamResponse> {
    const { bootId, epoch, result } = await node.update(update, { timeoutMs: 10_000 });
    return create(UpdateStreamResponseSchema, { bootId, epoch, results: result === undefined ? [] : [result] });
  }

  const service: Partial<ServiceImpl<typeof SandboxService>> = {
    create: (request) => node.create(request, { timeoutMs: 30_000 }),
    list: (request) => node.list(request, { timeoutMs: 10_000 }),
    delete: (request) => node.delete(request, { timeoutMs: 10_000 }),
    update: (request) => node.update(request, { timeoutMs: 10_000 }),
    async *updateStream(requests, context) {
      const answers = createQueue<UpdateStreamResponse>();
      context.signal.addEventListener("abort", () => answers.end());
      const reading = (async () => {
        for await (const { updates } of requests) {
          for (const update of updates) {
            if (holding) waiting.set(update, answers.put);
            else void forward(update).then(answers.put, () => undefined);
          }
        }
      })();
      reading.catch(() => undefined).finally(() => answers.end());
      yield* answers.values();
    },
  };

  const sessions = new Set<ServerHttp2Session>();
  const server: Http2Server = createServer(
    connectNodeAdapter({ routes: (router) => router.service(SandboxService, service) }),
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("No port");
  return {
    address: `127.0.0.1:${bound.port}`,
    get held() {
      return waiting.size;
    },
    hold() {
      holding = true;
    },
    async release(reorder = (updates) => updates) {
      holding = false;
      for (const update of reorder([...waiting.keys()])) {
        const answer = waiting.get(update);
        waiting.delete(update);
        answer?.(await forward(update));
      }
    },
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a node itself says it runs, with manifests. */
export async function listOnNode(nodeUrl: string, clusterToken: string): Promise<SandboxListResponse> {
  const transport = transportTo(nodeUrl, clusterToken);
  const { epoch } = await createClient(NodeService, transport).info({}, { timeoutMs: 5_000 });
  const request = { epoch, includeManifests: true };
  return await createClient(SandboxService, transport).list(request, { timeoutMs: 5_000 });
}

function transportTo(nodeUrl: string, clusterToken: string): Transport {
  return createConnectTransport({
    baseUrl: nodeUrl,
    httpVersion: "2",
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${clusterToken}`);
        return next(request);
      },
    ],
  });
}

function createQueue<T>(): { put: (value: T) => void; end: () => void; values: () => AsyncGenerator<T> } {
  const queued: T[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  return {
    put(value) {
      queued.push(value);
      wake?.();
    },
    end() {
      ended = true;
      wake?.();
    },
    async *values() {
      while (true) {
        for (let value = queued.shift(); value !== undefined; value = queued.shift()) yield value;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
