import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromJson, toJson } from "@bufbuild/protobuf";
import {
  SandboxCreateRequestSchema,
  SandboxCreateResponseSchema,
  SandboxDeleteRequestSchema,
  SandboxDeleteResponseSchema,
  SandboxListRequestSchema,
  SandboxListResponseSchema,
  SandboxService,
  SandboxUpdateRequestSchema,
  SandboxUpdateResponseSchema,
} from "@castellan/contracts/sandbox";
import { boundAddress, toConnectError } from "@castellan/rpc";
import { createLogger, type Logger } from "@castellan/telemetry";
import { type Client, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { LogBook } from "../../apps/orchestrator/src/logs/log-book.ts";
import { LogFiles } from "../../apps/orchestrator/src/logs/log-files.ts";
import { Sampler } from "../../apps/orchestrator/src/metrics/sampler.ts";
import type { NodeRuntime, Run, RunSpec, RunUsage } from "../../apps/orchestrator/src/node-runtime.ts";
import { sandboxService } from "../../apps/orchestrator/src/rpc/sandbox-service.ts";
import { NodeSandboxes } from "../../apps/orchestrator/src/sandboxes/node-sandboxes.ts";
import { Journal } from "../../apps/orchestrator/src/state/journal.ts";
import { type KeptManifest, ManifestFiles } from "../../apps/orchestrator/src/state/manifest-files.ts";
import type { HeldSandbox, NodeState } from "../../apps/orchestrator/src/state/node-state.ts";
import { encodeRecord, logVersion, type StateRecord } from "../../apps/orchestrator/src/state/records.ts";
import { type Answer, answerOf } from "./answer.ts";
import { canonical, Interner } from "./canonical.ts";

export type NodeMethod = "create" | "update" | "list" | "delete";

/** Everything of a node that outlives a message: its log, its manifests, and what its runtime runs. */
export interface NodeContent {
  readonly records: readonly StateRecord[];
  readonly manifests: Readonly<Record<string, KeptManifest>>;
  readonly runs: readonly Run[];
}

export interface NodeStep {
  readonly node: number;
  /** The response as JSON. */
  readonly answer: Answer;
}

/** What a node is seen to hold of the sandbox. */
export interface NodeView {
  readonly held: HeldSandbox;
  readonly running: readonly string[];
  readonly epoch: number;
  readonly highestRevision: number;
}

/** Wall-clock times do not matter to what is searched, and would make every state another one. */
const someTime = Date.now();

/**
 * The real node (service, sandboxes, journal) over a runtime that only remembers, as a function from content and message
 * to content and answer.
 */
export class NodePart {
  readonly #contents = new Interner<NodeContent>();
  readonly #steps = new Map<string, Promise<NodeStep>>();
  readonly #views = new Map<string, NodeView>();
  readonly #logger = createLogger("model", "silent");
  readonly #dir: string;
  readonly #daemon: Server;
  readonly #observing: { readonly sampler: Sampler; readonly logs: LogBook };
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(dir: string, daemon: Server) {
    this.#dir = dir;
    this.#daemon = daemon;
    const runtime = new RememberingRuntime([], 0);
    this.#observing = {
      sampler: new Sampler({ runtime, everyMs: 3_600_000, firstMs: 3_600_000 }),
      logs: new LogBook({
        files: new LogFiles(join(dir, "logs"), { logger: this.#logger }),
        runtime,
        collectMs: 3_600_000,
        logger: this.#logger,
      }),
    };
  }

  static async open(): Promise<NodePart> {
    const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    const dir = await mkdtemp(join(base, "castellan-model-node-"));
    const daemon = createServer((_request, response) => response.writeHead(204).end());
    await new Promise<void>((resolve) => daemon.listen(0, "127.0.0.1", resolve));
    return new NodePart(dir, daemon);
  }

  get size(): number {
    return this.#contents.size;
  }

  fresh(): number {
    return this.#contents.id({ records: [], manifests: {}, runs: [] });
  }

  content(node: number): NodeContent {
    return this.#contents.value(node);
  }

  /** A content made by hand, for guards that are taken away. */
  altered(content: NodeContent): number {
    return this.#contents.id(content);
  }

  handle(node: number, bootId: string, method: NodeMethod, request: string): Promise<NodeStep> {
    return this.#step(`${node} ${bootId} ${method} ${request}`, node, bootId, (client) =>
      answerOf(send(client, method, request)),
    );
  }

  /** The node's process is killed and started again. */
  restarted(node: number, bootId: string): Promise<NodeStep> {
    return this.#step(`${node} ${bootId} restart`, node, bootId, async () => ({ value: undefined }));
  }

  view(node: number, sandboxId: string): NodeView {
    const key = `${node} ${sandboxId}`;
    let view = this.#views.get(key);
    if (view === undefined) {
      const { records, runs } = this.#contents.value(node);
      const journal = this.#journal(records);
      const { state } = journal;
      view = {
        held: state.held(sandboxId),
        running: runs.filter((run) => run.sandboxId === sandboxId).map(({ executionId }) => executionId),
        epoch: state.epoch,
        highestRevision: state.highestRevision,
      };
      journal.close();
      this.#views.set(key, view);
    }
    return view;
  }

  async close(): Promise<void> {
    this.#daemon.closeAllConnections();
    await new Promise((resolve) => this.#daemon.close(resolve));
    await this.#observing.logs.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #step(
    key: string,
    node: number,
    bootId: string,
    use: (client: Client<typeof SandboxService>) => Promise<Answer>,
  ): Promise<NodeStep> {
    let step = this.#steps.get(key);
    if (step === undefined) {
      step = this.#turn.then(() => this.#live(this.#contents.value(node), bootId, use));
      this.#turn = step.catch(() => undefined);
      this.#steps.set(key, step);
    }
    return step;
  }

  /** A process of the node lives through one message. */
  async #live(
    content: NodeContent,
    bootId: string,
    use: (client: Client<typeof SandboxService>) => Promise<Answer>,
  ): Promise<NodeStep> {
    const logger = this.#logger;
    const journal = this.#journal(content.records);
    const manifests = new RememberedManifests(content.manifests, logger);
    const runtime = new RememberingRuntime(content.runs, boundAddress(this.#daemon.address()).port);
    const hour = 3_600_000;
    const sandboxes = new NodeSandboxes(
      {
        journal,
        manifests,
        runtime,
        templates: { list: () => [], rootfs: () => "/nonexistent" },
        logger,
        timing: {
          startMs: hour,
          registerCallMs: hour,
          registerBackoffMs: hour,
          registerBackoffMaxMs: hour,
          endGraceMs: hour,
          endBackstopMs: hour,
          gatewayConnectMs: hour,
          pingMs: hour,
          sampleMs: hour,
          firstSampleMs: hour,
          collectLogsMs: hour,
        },
        maxSandboxes: 10,
        maxMemoryBytes: 2 ** 40,
        controlPlaneAway: () => false,
      },
      () => undefined,
    );
    await sandboxes.adopt();
    const service = sandboxService({ bootId, journal, sandboxes, logger, ...this.#observing });
    const transport = createRouterTransport((router) => router.service(SandboxService, service), {
      router: { interceptors: [asErrors] },
    });
    const answer = await use(createClient(SandboxService, transport));
    await sandboxes.close({ stopSandboxes: false });
    const node = this.#contents.id({
      records: journal.state.snapshot(someTime).map(timeless),
      manifests: manifests.kept,
      runs: runtime.runs,
    });
    journal.close();
    return { node, answer };
  }

  #journal(records: readonly StateRecord[]): Journal {
    const path = join(this.#dir, "state.log");
    const header: StateRecord = { kind: "log", version: logVersion };
    writeFileSync(path, [header, ...records].map(encodeRecord).join(""));
    return Journal.open(path, this.#logger);
  }
}

export type { NodeState };

const asErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw toConnectError(error);
  }
};

async function send(client: Client<typeof SandboxService>, method: NodeMethod, request: string): Promise<string> {
  const json = JSON.parse(request);
  switch (method) {
    case "create":
      return text(toJson(SandboxCreateResponseSchema, await client.create(fromJson(SandboxCreateRequestSchema, json))));
    case "update":
      return text(toJson(SandboxUpdateResponseSchema, await client.update(fromJson(SandboxUpdateRequestSchema, json))));
    case "list":
      return text(toJson(SandboxListResponseSchema, await client.list(fromJson(SandboxListRequestSchema, json))));
    case "delete":
      return text(toJson(SandboxDeleteResponseSchema, await client.delete(fromJson(SandboxDeleteRequestSchema, json))));
  }
}

/** JSON whose keys stand in order, and in which as much is left of every life. */
export function text(json: unknown): string {
  return canonical(json).replaceAll(/"remainingMs":"\d+"/g, '"remainingMs":"3600000"');
}

function timeless(record: StateRecord): StateRecord {
  switch (record.kind) {
    case "live":
      return record.endTime === undefined
        ? record
        : { ...record, endTime: { ...record.endTime, dueAt: someTime + 30 * 24 * 3_600_000 } };
    case "deleted":
    case "refused":
      return { ...record, at: someTime };
    default:
      return record;
  }
}

class RememberedManifests extends ManifestFiles {
  readonly #kept: Map<string, KeptManifest>;

  constructor(kept: Readonly<Record<string, KeptManifest>>, logger: Logger) {
    super("/nonexistent", logger);
    this.#kept = new Map(Object.entries(kept));
  }

  get kept(): Readonly<Record<string, KeptManifest>> {
    return Object.fromEntries(this.#kept);
  }

  override async readAll(): Promise<Map<string, KeptManifest>> {
    return new Map(this.#kept);
  }

  override async write({ manifest }: KeptManifest): Promise<void> {
    this.#kept.set(manifest.executionId, { manifest, daemonSecret: "secret" });
  }

  override async remove(executionId: string): Promise<void> {
    this.#kept.delete(executionId);
  }
}

/** Runs nothing, and says what it would run. Every daemon is the model's one. */
class RememberingRuntime implements NodeRuntime {
  readonly #runs: Map<string, Run>;
  readonly #daemonPort: number;

  constructor(runs: readonly Run[], daemonPort: number) {
    this.#runs = new Map(runs.map((run) => [run.executionId, run]));
    this.#daemonPort = daemonPort;
  }

  get runs(): readonly Run[] {
    return [...this.#runs.values()];
  }

  async start({ sandboxId, executionId }: RunSpec): Promise<Run> {
    const run = { sandboxId, executionId };
    this.#runs.set(executionId, run);
    return run;
  }

  async stop(executionId: string): Promise<void> {
    this.#runs.delete(executionId);
  }

  async recover(): Promise<readonly Run[]> {
    return this.runs;
  }

  async setEgress(): Promise<void> {}

  async usage(): Promise<RunUsage> {
    return { cpuMicros: 0, memoryBytes: 0, cacheBytes: 0, diskUsedBytes: 0, diskTotalBytes: 0 };
  }

  async connect(): Promise<Socket> {
    return connect(this.#daemonPort, "127.0.0.1");
  }

  onExit(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {}
}
