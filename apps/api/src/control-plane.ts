import type { IncomingMessage, ServerResponse } from "node:http";
import { CastellanError, type NodeRecord, publicState } from "@castellan/domain";
import type { RpcServer } from "@castellan/rpc";
import type { SandboxStore } from "@castellan/store";
import type { FastifyInstance } from "fastify";
import { createApi } from "./api.ts";
import { createPlacement } from "./create/placement.ts";
import { createEnding } from "./ending/ending.ts";
import { createEventFeed } from "./events/feed.ts";
import { createEventStreams, defaultStreamLimits } from "./events/streams.ts";
import { createEvictor } from "./loops/evictor.ts";
import { createLeaseWatch } from "./loops/leases.ts";
import { createOverdueSettler } from "./loops/overdue.ts";
import { createReconciler } from "./loops/reconciler.ts";
import { createRepusher } from "./loops/repush.ts";
import { createNodeDirectory, type NodeDirectory } from "./nodes/directory.ts";
import { connectToNode } from "./nodes/node-client.ts";
import { createRegistry } from "./nodes/registry.ts";
import { type ControlPlaneOptions, defaultLimits, defaultTiming } from "./options.ts";
import { noPush } from "./push/no-push.ts";
import { createNodeUpdates } from "./push/node-updates.ts";
import { createPusher } from "./push/pusher.ts";
import { createWriteBack } from "./push/write-back.ts";
import { createVerification } from "./recovery/verification.ts";
import type { Services } from "./services.ts";
import { createStoreClock } from "./store-clock.ts";
import { createDelivery, defaultDelivery } from "./webhooks/delivery.ts";
import { createTargets } from "./webhooks/targets.ts";

/** The REST API, the registry that nodes register with, and the loops that keep store and nodes in agreement. */
export interface ControlPlane {
  /** The REST API. Ready, but not listening: either let it listen, or give its requests to `handle`. */
  readonly rest: FastifyInstance;
  /** A listener for `request`, so that the API can share a port with the edge. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Connect over HTTP/2 without TLS (h2c), for nodes. Ready, but not listening. */
  readonly registry: RpcServer;
  /**
   * Where a sandbox runs. `undefined`: there is no such sandbox. Rejects when that cannot be said now: unknown is not
   * gone. It asks the store each time; `fresh` also asks it for the nodes.
   */
  locate(sandboxId: string, options?: { readonly fresh?: boolean }): Promise<RouteTarget | undefined>;
  /** Calls `listener` whenever this process learns that a sandbox's execution has ended. Answers how to stop that. */
  onEnded(listener: (sandboxId: string) => void): () => void;
  /** What this process has pushed to nodes so far: messages, and the updates in them. */
  pushed(): { readonly messages: number; readonly updates: number };
  /** Starts the loops. */
  start(): void;
  /** Stops loops, streams and both servers; waits for what is being answered. */
  close(): Promise<void>;
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

/**
 * Puts the control plane together over an open store.
 * @throws `invalid_argument` on options that make no sense, `unavailable` when the store does not answer.
 */
export async function createControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  checkOptions(options);
  const { store, logger, clusterToken, domain, version = "0.1.0" } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const timing = { ...defaultTiming, ...options.timing };

  const clock = await createStoreClock(store);
  const writeBack = createWriteBack(store, logger);
  const pushed = { messages: 0, updates: 0 };
  const directory = createNodeDirectory({ store, logger, leaseMs: timing.leaseMs, connect: connectNode });
  await directory.refresh();
  const listeners = new Set<(sandboxId: string) => void>();
  const ending = createEnding({
    store,
    directory,
    timing,
    logger,
    onEnded: (sandboxId) => {
      for (const listener of listeners) listener(sandboxId);
    },
  });
  const feed = createEventFeed(store, timing.eventsEveryMs);
  const eventStreams = createEventStreams(feed, { ...defaultStreamLimits, ...options.eventStreams }, logger);
  const targets = createTargets(options.webhooks?.allow ?? [], () => hostsOf(directory));
  const services: Services = {
    store,
    clock,
    directory,
    placement: createPlacement(directory, clock, options.templateLimits),
    pusher: options.push === "off" ? noPush : createPusher(directory, writeBack, clock, options.failpoints),
    ending,
    eventStreams,
    verification: createVerification({ store, clock, leaseMs: timing.leaseMs, logger }),
    targets,
    logger,
    limits,
    templateLimits: options.templateLimits ?? {},
    timing,
    domain,
    version,
  };

  const rest = await createApi(services);
  const reconciler = createReconciler(services);
  const registry = await createRegistry({
    store,
    directory,
    clusterToken,
    leaseMs: timing.leaseMs,
    logger,
    // After a restart of everything it is the nodes that come last.
    onRegistered: async (nodeId) => {
      if (!services.verification.hasReported(nodeId, await store.epoch())) reconciler.wake();
    },
  });
  // Edits wait for the first round of Lists in a new epoch.
  const stopListening = store.onEpoch((epoch) => {
    services.verification.enter(epoch);
    reconciler.wake();
  });
  const loops = [
    createLeaseWatch(services),
    reconciler,
    createEvictor(services),
    createOverdueSettler(services),
    createDelivery(store, targets, { ...defaultDelivery, ...options.webhooks }, logger),
    ...(options.push === "off" ? [] : [createRepusher(services)]),
  ];

  return {
    rest,
    handle: (request, response) => rest.routing(request, response),
    registry,
    locate: (sandboxId, { fresh = false } = {}) => locate(store, directory, sandboxId, fresh),
    onEnded(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    pushed: () => ({ ...pushed }),
    start() {
      for (const loop of loops) loop.start();
    },
    async close() {
      stopListening();
      const stopped = Promise.all(loops.map((loop) => loop.stop()));
      eventStreams.close();
      await Promise.all([rest.close(), registry.close()]);
      // Cuts off the loops' calls to nodes that do not answer.
      directory.close();
      await stopped;
      await writeBack.close();
    },
  };

  function connectNode({ nodeId, address }: NodeRecord) {
    const client = connectToNode(address, clusterToken);
    const updates = createNodeUpdates({
      nodeId,
      client,
      logger,
      answerMs: timing.streamAnswerMs,
      callMs: timing.callMs,
      ...(options.failpoints && { failpoints: options.failpoints }),
      onReport: (report) => writeBack.note(report),
      onMessage: (updates) => {
        pushed.messages += 1;
        pushed.updates += updates;
      },
    });
    return { client, updates };
  }
}

async function locate(
  store: SandboxStore,
  directory: NodeDirectory,
  sandboxId: string,
  fresh: boolean,
): Promise<RouteTarget | undefined> {
  const record = await store.locate(sandboxId);
  const state = record === undefined ? undefined : publicState(record.state);
  if (record === undefined || state === undefined) return undefined;
  if (fresh) await directory.refresh();
  const node = await directory.find(record.nodeId);
  if (node === undefined) throw new CastellanError("unavailable", "The sandbox's node is not known");
  return {
    sandboxId,
    executionId: record.executionId,
    state,
    gatewayAddress: node.record.gatewayAddress,
    ...(record.trafficAccessToken === undefined ? {} : { trafficAccessToken: record.trafficAccessToken }),
    publicTraffic: record.trafficAccessToken === undefined,
  };
}

/** Where the nodes are. */
function hostsOf(directory: NodeDirectory): string[] {
  return directory.all().flatMap(({ record }) => {
    const hosts = [record.address, `http://${record.gatewayAddress}`].map((url) => URL.parse(url)?.hostname ?? "");
    return hosts.map((host) => host.replace(/^\[|\]$/g, ""));
  });
}

function checkOptions({ clusterToken, domain }: ControlPlaneOptions): void {
  if (clusterToken.length < 16) {
    throw new CastellanError("invalid_argument", "The cluster token must have at least 16 characters");
  }
  if (!/^[a-zA-Z0-9.-]+(:\d{1,5})?$/.test(domain)) {
    throw new CastellanError("invalid_argument", "The domain must be a host name, with or without a port");
  }
}
