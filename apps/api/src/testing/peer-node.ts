import { randomUUID } from "node:crypto";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import { clone, create } from "@bufbuild/protobuf";
import { NodeService, RegistryService } from "@castellan/contracts/node";
import {
  type Deletion,
  DeletionCause,
  DeletionSchema,
  ExecutionMetricsSchema,
  type MetricSample,
  RunningSandboxSchema,
  type SandboxEndTimeUpdate,
  type SandboxLogEntry,
  type SandboxLogsRequest,
  type SandboxManifest,
  SandboxManifestSchema,
  SandboxMetadataUpdateSchema,
  type SandboxMetricsRequest,
  SandboxService,
  type SandboxUpdateRequest,
  type SandboxUpdateResult,
  SandboxUpdateResultSchema,
  UpdateOutcome,
  type UpdateStreamRequest,
  UpdateStreamResponseSchema,
} from "@castellan/contracts/sandbox";
import { metadataHash } from "@castellan/domain";
import { Code, ConnectError, createClient, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** What the peer runs. */
export interface PeerSandbox {
  readonly manifest: SandboxManifest;
  metadata: Map<string, string>;
  applied: { metadata: bigint; endTime: bigint; egress: bigint };
  endTime?: SandboxEndTimeUpdate;
}

/** Where a test steps in: each may wait, or throw to make the call fail. */
export interface PeerHooks {
  create?: (manifest: SandboxManifest) => Promise<void> | void;
  update?: (update: SandboxUpdateRequest) => Promise<void> | void;
  delete?: (executionId: string) => Promise<void> | void;
  list?: (epoch: bigint) => Promise<void> | void;
  metrics?: (request: SandboxMetricsRequest) => Promise<void> | void;
  logs?: (request: SandboxLogsRequest) => Promise<void> | void;
}

/**
 * A node without sandboxes inside: it speaks the contract over h2c and keeps revisions by its rules. It works on the
 * messages of a stream at once, so that a test can let them arrive in another order.
 */
export class PeerNode {
  readonly nodeId: string;
  readonly hooks: PeerHooks = {};
  readonly sandboxes = new Map<string, PeerSandbox>();
  readonly deletions: Deletion[] = [];
  /** Measurements by sandbox; told as they are. */
  readonly samples = new Map<string, MetricSample[]>();
  /** Logs as `team/sandbox`; told as they are. */
  readonly logs = new Map<string, SandboxLogEntry[]>();
  /** Every field that arrived, in order, as `field@revision`. */
  readonly arrived: string[] = [];
  acknowledgedTo = 0n;
  bootId: string = randomUUID();
  capacity = 100;
  /** What it says of its memory; `sandboxMemoryBytes` is what its sandboxes' limits may add up to. */
  memory = { memoryBytes: 2 ** 33, sandboxMemoryBytes: 0, inUseBytes: 0 };
  /** What its sandboxes may have, the default first. */
  isolations = ["runc"];
  /** Messages that streams have carried so far. */
  messages = 0;
  readonly #refused = new Set<string>();
  readonly #token: string;
  readonly #sessions = new Set<ServerHttp2Session>();
  #server: Http2Server | undefined;
  #port = 0;
  #epoch = 0n;

  constructor(nodeId: string, token: string) {
    this.nodeId = nodeId;
    this.#token = token;
  }

  get address(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Serves, on the same port as before if there was one. */
  async up(): Promise<void> {
    const adapter = connectNodeAdapter({
      routes: (router) => {
        router.service(SandboxService, this.#service());
        router.service(NodeService, { info: () => ({ epoch: this.#epoch }) });
      },
      interceptors: [
        (next) => (request) => {
          if (request.header.get("authorization") !== `Bearer ${this.#token}`) {
            throw new ConnectError("no", Code.Unauthenticated);
          }
          return next(request);
        },
      ],
    });
    const server = createServer(adapter);
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.#port = address.port;
    this.#server = server;
  }

  /** Breaks every connection and stops listening, as a killed process does. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const session of this.#sessions) session.destroy();
    await closed;
  }

  /** Begins a new boot, with everything that was confirmed still there. */
  reboot(): void {
    this.bootId = randomUUID();
  }

  /** Registers once, as a node does again and again. */
  async register(registry: string, said: { epoch?: bigint; highestRevision?: bigint } = {}) {
    const sessionManager = new Http2SessionManager(registry);
    const transport = createConnectTransport({ httpVersion: "2", baseUrl: registry, sessionManager });
    try {
      const answer = await createClient(RegistryService, transport).register(
        {
          epoch: said.epoch ?? this.#epoch,
          highestRevision: said.highestRevision ?? 0n,
          node: {
            nodeId: this.nodeId,
            bootId: this.bootId,
            address: this.address,
            gatewayAddress: "127.0.0.1:9",
            version: "0",
            isolation: this.isolations[0] ?? "",
            isolations: this.isolations,
            capacity: {
              sandboxes: this.capacity,
              cpuCount: 2,
              memoryBytes: BigInt(this.memory.memoryBytes),
              sandboxMemoryBytes: BigInt(this.memory.sandboxMemoryBytes),
            },
            usage: {
              sandboxes: this.sandboxes.size,
              starting: 0,
              memoryBytes: BigInt(Math.floor(this.memory.inUseBytes)),
              sandboxMemoryBytes: [...this.sandboxes.values()].reduce(
                (sum, { manifest }) => sum + BigInt(manifest.resources?.memoryMb ?? 0) * 1_048_576n,
                0n,
              ),
            },
            templates: [
              {
                templateId: "base",
                aliases: ["default"],
                cpuCount: 2,
                memoryMb: 512,
                diskMb: 1024,
                envdVersion: "0.6.13",
              },
            ],
          },
        },
        { headers: { authorization: `Bearer ${this.#token}` }, timeoutMs: 2_000 },
      );
      this.#epoch = answer.epoch;
      return answer;
    } finally {
      sessionManager.abort();
    }
  }

  /** Ends a sandbox from within, and keeps the report of it until it is acknowledged. */
  end(sandboxId: string, cause = DeletionCause.EXITED): void {
    const sandbox = this.sandboxes.get(sandboxId);
    if (sandbox === undefined) return;
    this.sandboxes.delete(sandboxId);
    const { executionId } = sandbox.manifest;
    this.deletions.push(
      create(DeletionSchema, { sandboxId, executionId, sequence: BigInt(this.deletions.length + 1), cause }),
    );
  }

  /** Puts a sandbox there that no control plane has asked for. */
  plant(manifest: SandboxManifest): void {
    this.sandboxes.set(manifest.sandboxId, {
      manifest,
      metadata: new Map(Object.entries(manifest.metadata?.entries ?? {})),
      applied: {
        metadata: manifest.metadata?.revision ?? 0n,
        endTime: manifest.endTime?.revision ?? 0n,
        egress: manifest.egress?.revision ?? 0n,
      },
    });
  }

  #service(): Partial<ServiceImpl<typeof SandboxService>> {
    return {
      create: async ({ manifest, epoch }) => {
        if (manifest === undefined) throw new ConnectError("no manifest", Code.InvalidArgument);
        await this.hooks.create?.(manifest);
        if (this.#refused.has(manifest.executionId)) throw new ConnectError("refused", Code.Aborted);
        if (this.sandboxes.size >= this.capacity) throw new ConnectError("full", Code.ResourceExhausted);
        this.#epoch = epoch;
        this.plant(manifest);
        return { bootId: this.bootId, epoch, applied: { ...this.sandboxes.get(manifest.sandboxId)?.applied } };
      },
      update: async (update) => ({
        bootId: this.bootId,
        epoch: update.epoch,
        result: await this.#update(update),
      }),
      updateStream: (requests) => this.#stream(requests),
      list: async ({ epoch, includeManifests, acknowledgeDeletionsTo }) => {
        await this.hooks.list?.(epoch);
        if (epoch < this.#epoch) throw new ConnectError("an older epoch", Code.FailedPrecondition);
        this.#epoch = epoch;
        if (acknowledgeDeletionsTo > this.acknowledgedTo) this.acknowledgedTo = acknowledgeDeletionsTo;
        return {
          bootId: this.bootId,
          epoch,
          sandboxes: [...this.sandboxes.values()].map(({ manifest, metadata, applied, endTime }) =>
            create(RunningSandboxSchema, {
              sandboxId: manifest.sandboxId,
              executionId: manifest.executionId,
              generation: manifest.generation,
              applied,
              metadataHash: new Uint8Array(metadataHash(metadata)),
              ...(includeManifests ? { manifest: liveManifest(manifest, metadata, applied, endTime) } : {}),
            }),
          ),
          deletions: this.deletions.filter(({ sequence }) => sequence > this.acknowledgedTo),
        };
      },
      metrics: async (request) => {
        await this.hooks.metrics?.(request);
        const here = request.executions.filter(({ sandboxId }) => this.sandboxes.has(sandboxId));
        return {
          executions: here.map(({ sandboxId }) =>
            create(ExecutionMetricsSchema, { sandboxId, samples: this.samples.get(sandboxId) ?? [] }),
          ),
        };
      },
      logs: async (request) => {
        await this.hooks.logs?.(request);
        const entries = this.logs.get(`${request.teamId}/${request.sandboxId}`);
        return { found: entries !== undefined, entries: entries ?? [] };
      },
      delete: async ({ sandboxId, executionId, epoch }) => {
        await this.hooks.delete?.(executionId);
        this.#refused.add(executionId);
        const deleted = this.sandboxes.get(sandboxId)?.manifest.executionId === executionId;
        if (deleted) this.sandboxes.delete(sandboxId);
        return { bootId: this.bootId, epoch, deleted };
      },
    };
  }

  async *#stream(requests: AsyncIterable<UpdateStreamRequest>) {
    const ready: { epoch: bigint; results: SandboxUpdateResult[] }[] = [];
    let wake = () => {};
    let ended = false;
    const read = async () => {
      for await (const { updates } of requests) {
        this.messages += 1;
        void Promise.all(updates.map((update) => this.#update(update))).then((results) => {
          ready.push({ epoch: updates[0]?.epoch ?? 0n, results });
          wake();
        });
      }
    };
    void read()
      .catch(() => {})
      .finally(() => {
        ended = true;
        wake();
      });
    while (!ended) {
      const next = ready.shift();
      if (next !== undefined) {
        yield create(UpdateStreamResponseSchema, { bootId: this.bootId, ...next });
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  async #update(update: SandboxUpdateRequest): Promise<SandboxUpdateResult> {
    const { sandboxId, executionId, metadata, endTime, egress } = update;
    await this.hooks.update?.(update);
    if (metadata) this.arrived.push(`metadata@${metadata.revision}`);
    if (endTime) this.arrived.push(`endTime@${endTime.revision}`);
    const sandbox = this.sandboxes.get(sandboxId);
    const result = (
      outcome: UpdateOutcome,
      applied: PeerSandbox["applied"] = { metadata: 0n, endTime: 0n, egress: 0n },
    ) => create(SandboxUpdateResultSchema, { sandboxId, executionId, outcome, applied });
    if (sandbox === undefined) return result(UpdateOutcome.NOT_FOUND);
    const { applied } = sandbox;
    if (sandbox.manifest.executionId !== executionId) return result(UpdateOutcome.OTHER_EXECUTION);
    if (metadata && metadata.revision > applied.metadata) {
      sandbox.metadata = new Map(Object.entries(metadata.entries));
      applied.metadata = metadata.revision;
    }
    if (endTime && endTime.revision > applied.endTime) {
      sandbox.endTime = endTime;
      applied.endTime = endTime.revision;
    }
    if (egress && egress.revision > applied.egress) applied.egress = egress.revision;
    return result(UpdateOutcome.HELD, { ...applied });
  }
}

/** With metadata and end time as they are now; of egress the peer keeps the revision alone. */
function liveManifest(
  manifest: SandboxManifest,
  metadata: ReadonlyMap<string, string>,
  applied: PeerSandbox["applied"],
  endTime: SandboxEndTimeUpdate | undefined,
): SandboxManifest {
  const live = clone(SandboxManifestSchema, manifest);
  live.metadata = create(SandboxMetadataUpdateSchema, {
    entries: Object.fromEntries(metadata),
    revision: applied.metadata,
  });
  if (endTime) live.endTime = endTime;
  if (live.egress) live.egress.revision = applied.egress;
  return live;
}
