import { createHash, timingSafeEqual } from "node:crypto";
import type { ServerHttp2Session } from "node:http2";
import { create } from "@bufbuild/protobuf";
import {
  type NodeDescription,
  type NodeRegisterRequest,
  NodeRegisterResponseSchema,
  RegistryService,
} from "@castellan/contracts/node";
import { CastellanError, isIsolation, type NodeRecord } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { fastify } from "fastify";
import type { RegistryServer } from "../control-plane.ts";
import type { NodeDirectory } from "./directory.ts";

export interface RegistryOptions {
  readonly store: SandboxStore;
  readonly directory: NodeDirectory;
  readonly clusterToken: string;
  readonly leaseMs: number;
  readonly logger: Logger;
}

/** Far above a registration with as many templates as it may name. */
const maxMessageBytes = 1024 * 1024;
/** Longer than any caller waits, and short enough for timers to count. */
const maxTimeoutMs = 600_000;

/** Serves `RegistryService` over h2c to those who show the cluster's token. */
export async function createRegistry(options: RegistryOptions): Promise<RegistryServer> {
  const server = fastify({ http2: true, forceCloseConnections: true });
  const sessions = new Set<ServerHttp2Session>();
  server.server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  // Nodes keep their connections open; a server that waits for them to close never does.
  server.addHook("preClose", async () => {
    for (const session of sessions) session.destroy();
  });
  server.addHook("onRequest", async ({ headers }) => {
    // What timers cannot count fires at once.
    if (Number(headers["connect-timeout-ms"]) > maxTimeoutMs) headers["connect-timeout-ms"] = String(maxTimeoutMs);
  });
  await server.register(fastifyConnectPlugin, {
    requestGate: bearer(options.clusterToken),
    readMaxBytes: maxMessageBytes,
    acceptCompression: [],
    // Nodes speak Connect; what nobody uses need not be there.
    grpc: false,
    grpcWeb: false,
    routes: (router) => {
      router.service(RegistryService, {
        register: (request) => answering(options.logger, () => register(options, request)),
      });
    },
  });
  await server.ready();
  return server;
}

async function register({ store, directory, leaseMs, logger }: RegistryOptions, request: NodeRegisterRequest) {
  const node = readNode(request.node);
  let epoch = await store.epoch();
  // What a node holds from before this epoch must lie below it, or an old value would win over a new one. A node that
  // has seen this epoch may hold revisions above its number: they were made in it.
  const seen = readCounter(request.epoch, "epoch");
  const highest = readCounter(request.highestRevision, "highest revision");
  const known = Math.max(seen, seen < epoch ? highest : 0);
  if (known > epoch) {
    epoch = await store.raiseEpoch(known);
    logger.warn(
      { nodeId: node.nodeId, bootId: node.bootId, known, epoch },
      "a node knows a later epoch than the store",
    );
  }
  const before = directory.peek(node.nodeId);
  const record = await store.renewLease(node, leaseMs);
  directory.note(record);
  if (before?.record.bootId !== node.bootId) {
    logger.info({ nodeId: node.nodeId, bootId: node.bootId, address: node.address, epoch }, "node registered");
  }
  return create(NodeRegisterResponseSchema, { epoch: BigInt(epoch), leaseMs });
}

/** Refuses a stranger before anything of the body is read. */
function bearer(clusterToken: string): (context: HandlerContext) => void {
  const expected = digest(`Bearer ${clusterToken}`);
  return ({ requestHeader }) => {
    if (!timingSafeEqual(digest(requestHeader.get("authorization") ?? ""), expected)) {
      throw new ConnectError("the cluster's token is missing or wrong", Code.Unauthenticated);
    }
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function answering<T>(logger: Logger, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = CastellanError.from(error, "the registration failed");
    if (known.code === "invalid_argument") throw new ConnectError(known.message, Code.InvalidArgument);
    logger.error({ err: error }, "a registration failed");
    throw new ConnectError(known.message, known.code === "unavailable" ? Code.Unavailable : Code.Internal);
  }
}

const maxTemplates = 1_000;

/** @throws `invalid_argument` */
function readNode(node: NodeDescription | undefined): Omit<NodeRecord, "leaseExpiresAt"> {
  if (node === undefined) throw invalid("a registration names its node");
  if (!/^[a-zA-Z0-9._-]{1,64}$/.test(node.nodeId)) throw invalid("a node id has 1 to 64 of a-z A-Z 0-9 . _ -");
  if (!/^[\x21-\x7e]{1,64}$/.test(node.bootId)) throw invalid("a boot id has 1 to 64 printable characters");
  if (!isHttpUrl(node.address)) throw invalid("a node's address is a URL of http or https");
  if (!/^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):\d{1,5}$/.test(node.gatewayAddress)) {
    throw invalid("a gateway's address is host:port");
  }
  if (node.templates.length > maxTemplates) throw invalid(`a node offers at most ${maxTemplates} templates`);
  return {
    nodeId: node.nodeId,
    bootId: node.bootId,
    address: node.address,
    gatewayAddress: node.gatewayAddress,
    version: node.version.slice(0, 64),
    isolation: node.isolation.slice(0, 64),
    isolations: node.isolations.length === 0 ? [node.isolation] : node.isolations.filter(isIsolation),
    capacity: {
      sandboxes: node.capacity?.sandboxes ?? 0,
      cpuCount: node.capacity?.cpuCount ?? 0,
      memoryBytes: Number(node.capacity?.memoryBytes ?? 0n),
      sandboxMemoryBytes: Number(node.capacity?.sandboxMemoryBytes ?? 0n),
    },
    usage: {
      sandboxes: node.usage?.sandboxes ?? 0,
      starting: node.usage?.starting ?? 0,
      memoryBytes: Number(node.usage?.memoryBytes ?? 0n),
      sandboxMemoryBytes: Number(node.usage?.sandboxMemoryBytes ?? 0n),
    },
    templates: node.templates.map((template) => ({
      templateId: template.templateId,
      aliases: template.aliases,
      resources: { cpuCount: template.cpuCount, memoryMb: template.memoryMb, diskMb: template.diskMb },
      envdVersion: template.envdVersion,
    })),
    // No node of this version can: part of what registers says so once one can.
    pauseWithMemory: false,
  };
}

/**
 * Half of what a double counts exactly, the year 2112 in microseconds: the store goes on above it, for as long again.
 * @throws `invalid_argument`
 */
function readCounter(value: bigint, name: string): number {
  if (value > 2n ** 52n) throw invalid(`the ${name} is out of range`);
  return Number(value);
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== "" && text.length <= 256;
}

function invalid(message: string): CastellanError {
  return new CastellanError("invalid_argument", message);
}
