import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { NodeService } from "@castellan/contracts/node";
import {
  type SandboxManifest,
  SandboxManifestSchema,
  SandboxService,
  type SandboxUpdateRequestSchema,
} from "@castellan/contracts/sandbox";
import { CastellanError, newExecutionId, newSandboxId } from "@castellan/domain";
import { createLogger } from "@castellan/telemetry";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { CapacityOptions, Timing } from "../options.ts";
import { createOrchestrator, type NodeAddresses, type Orchestrator } from "../orchestrator.ts";
import { LoopbackRuntime } from "./loopback-runtime.ts";

export const clusterToken = "a token that tests share";
export const templateRootfs = "/nonexistent/rootfs";
/** The epoch in which tests speak unless they say otherwise. */
export const epoch = 1_000n;

export interface TestNodeOptions {
  readonly controlPlaneUrls?: readonly string[];
  readonly timing?: Partial<Timing>;
  readonly capacity?: CapacityOptions;
  /** What an earlier node left. */
  readonly after?: TestNode;
}

/** A node over a loopback runtime, and clients of it over real connections. */
export interface TestNode {
  readonly stateDir: string;
  readonly runtime: LoopbackRuntime;
  readonly orchestrator: Orchestrator;
  readonly addresses: NodeAddresses;
  readonly sandboxes: Client<typeof SandboxService>;
  readonly nodes: Client<typeof NodeService>;
  /** Starts a sandbox of one's own, seeded at revision 10 of everything; ends in a minute. */
  startSandbox(manifest?: ManifestInit): Promise<{ sandboxId: string; executionId: string }>;
  /** Stops the process's part; the sandboxes go on. */
  stop(): Promise<void>;
  /** Ends everything and removes the state. */
  dispose(): Promise<void>;
}

export type ManifestInit = Exclude<MessageInitShape<typeof SandboxManifestSchema>, SandboxManifest>;
export type UpdateInit = MessageInitShape<typeof SandboxUpdateRequestSchema>;

export async function startTestNode(options: TestNodeOptions = {}): Promise<TestNode> {
  const stateDir = options.after?.stateDir ?? (await mkdtemp(join(tmpdir(), "castellan-node-")));
  const runtime = options.after?.runtime ?? new LoopbackRuntime();
  const orchestrator = createOrchestrator({
    nodeId: "test-node",
    stateDir,
    clusterToken,
    runtime,
    templates: {
      list: () => [
        {
          templateId: "base",
          aliases: ["debian"],
          resources: { cpuCount: 1, memoryMb: 128, diskMb: 512 },
          envdVersion: "0.6.13",
        },
      ],
      rootfs: (name) => {
        if (name === "base" || name === "debian") return templateRootfs;
        throw new CastellanError("not_found", `Template "${name}" not found`);
      },
    },
    controlPlaneUrls: options.controlPlaneUrls ?? [],
    ...(options.timing === undefined ? {} : { timing: options.timing }),
    ...(options.capacity === undefined ? {} : { capacity: options.capacity }),
    logger: createLogger("orchestrator", "silent"),
  });
  const addresses = await orchestrator.listen();
  const { client: sandboxes, connection } = connectTo(addresses.address, SandboxService);
  const { client: nodes, connection: nodeConnection } = connectTo(addresses.address, NodeService);
  const stop = async () => {
    connection.abort();
    nodeConnection.abort();
    await orchestrator.close({ stopSandboxes: false });
  };
  return {
    stateDir,
    runtime,
    orchestrator,
    addresses,
    sandboxes,
    nodes,
    async startSandbox(manifest = {}) {
      const order = manifestOf(manifest);
      await sandboxes.create({ epoch, manifest: order });
      return { sandboxId: order.sandboxId, executionId: order.executionId };
    },
    stop,
    async dispose() {
      await stop();
      await runtime.close({ stopAll: true });
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** A manifest as the control plane sends it, with new ids unless it says otherwise. */
export function manifestOf(manifest: ManifestInit = {}): SandboxManifest {
  return create(SandboxManifestSchema, {
    generation: 1n,
    teamId: "team",
    templateId: "base",
    apiKeyId: "key",
    startedAtUs: 1n,
    resources: { cpuCount: 1, memoryMb: 128, diskMb: 512 },
    secure: true,
    envdAccessToken: "the daemon's token",
    envVars: { GREETING: "hello" },
    metadata: { entries: { seeded: "yes" }, revision: 10n },
    endTime: { endAtUs: BigInt(Date.now() + 60_000) * 1000n, remainingMs: 60_000n, revision: 10n },
    egress: { policy: { allowOut: [], denyOut: [] }, revision: 10n },
    ...manifest,
    sandboxId: manifest.sandboxId ?? newSandboxId(),
    executionId: manifest.executionId ?? newExecutionId(),
  });
}

/** What the node lists of one sandbox, manifest included. */
export async function listed(node: TestNode, sandboxId: string) {
  const { sandboxes } = await node.sandboxes.list({ epoch: await epochOf(node), includeManifests: true });
  return sandboxes.find((sandbox) => sandbox.sandboxId === sandboxId);
}

/** The highest epoch that the node has seen. */
export async function epochOf(node: TestNode): Promise<bigint> {
  return (await node.nodes.info({})).epoch;
}

/** A client over a connection of its own; `connection.abort()` closes it. */
export function connectTo<T extends typeof SandboxService | typeof NodeService>(
  baseUrl: string,
  service: T,
  token = clusterToken,
): { client: Client<T>; connection: Http2SessionManager } {
  const connection = new Http2SessionManager(baseUrl);
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "2",
    sessionManager: connection,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return { client: createClient(service, transport), connection };
}
