import { create } from "@bufbuild/protobuf";
import {
  type NodeDescription,
  NodeForgetResponseSchema,
  type NodeRegisterRequest,
  NodeRegisterResponseSchema,
  RegistryService,
} from "@castellan/contracts/node";
import { CastellanError, isIsolation, type NodeRecord } from "@castellan/domain";
import { createRpcServer, type RpcServer } from "@castellan/rpc";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import type { NodeDirectory } from "./directory.ts";

export interface RegistryOptions {
  readonly store: SandboxStore;
  readonly directory: NodeDirectory;
  readonly clusterToken: string;
  readonly leaseMs: number;
  readonly logger: Logger;
  /** Called with every registration that was stored. */
  readonly onRegistered: (nodeId: string) => Promise<void>;
}

/** Far above a registration with as many templates as it may name. */
const maxMessageBytes = 1024 * 1024;
/** Serves `RegistryService` to those who show the cluster's token. */
export async function createRegistry(options: RegistryOptions): Promise<RpcServer> {
  const { clusterToken, logger } = options;
  return await createRpcServer({
    clusterToken,
    routes: (router) => {
      router.service(RegistryService, {
        register: (request) => register(options, request),
        forget: (request) => forget(options, request.nodeId),
      });
    },
    maxMessageBytes,
    logger,
  });
}

/** What a node's registration does: its lease is renewed, and the epoch raised above what it knows. */
export async function register(options: RegistryOptions, request: NodeRegisterRequest) {
  const { store, directory, leaseMs, logger, onRegistered } = options;
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
  await onRegistered(node.nodeId);
  if (before?.record.bootId !== node.bootId) {
    logger.info({ nodeId: node.nodeId, bootId: node.bootId, address: node.address, epoch }, "node registered");
  }
  return create(NodeRegisterResponseSchema, { epoch: BigInt(epoch), leaseMs });
}

async function forget({ store, directory, logger }: RegistryOptions, nodeId: string) {
  if (!isNodeId(nodeId)) throw invalid(nodeIdRule);
  const known = (await store.listNodes()).some((node) => node.nodeId === nodeId);
  await store.forgetNode(nodeId);
  logger.warn({ nodeId, known }, "the operator has forgotten a node");
  await directory.refresh();
  return create(NodeForgetResponseSchema, { known });
}

const nodeIdRule = "a node id has 1 to 64 of a-z A-Z 0-9 . _ -";

function isNodeId(text: string): boolean {
  return /^[a-zA-Z0-9._-]{1,64}$/.test(text);
}

const maxTemplates = 1_000;

/** @throws `invalid_argument` */
function readNode(node: NodeDescription | undefined): Omit<NodeRecord, "leaseExpiresAt"> {
  if (node === undefined) throw invalid("a registration names its node");
  if (!isNodeId(node.nodeId)) throw invalid(nodeIdRule);
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
