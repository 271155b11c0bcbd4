import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type SandboxStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { type ControlPlane, createControlPlane } from "../control-plane.ts";
import type { ControlPlaneOptions, Timing } from "../options.ts";
import { PeerNode } from "./peer-node.ts";

export const clusterToken = "a-token-of-the-test-cluster";

/** What a REST call answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the first team's. `null` sends none. */
  readonly key?: string | null;
  readonly signal?: AbortSignal;
}

export interface ClusterOptions
  extends Partial<Pick<ControlPlaneOptions, "limits" | "templateLimits" | "push" | "eventStreams" | "webhooks">> {
  /** Peers that are up and registered. Default 1. */
  readonly nodes?: number;
  readonly timing?: Partial<Timing>;
  /** Default 100. */
  readonly quota?: number;
  /** Whether the loops run. Default true. */
  readonly loops?: boolean;
  /** Default: a fresh SQLite file. */
  readonly store?: SandboxStore;
  /** Whether the store is closed with the cluster. Default true. */
  readonly closeStore?: boolean;
}

/** Quick loops, and deadlines that a busy machine keeps. */
const quick: Partial<Timing> = {
  evictEveryMs: 20,
  reconcileEveryMs: 50,
  repushEveryMs: 50,
  overdueEveryMs: 50,
  nodesEveryMs: 50,
  eventsEveryMs: 20,
  confirmMs: 1_000,
  streamAnswerMs: 1_500,
  callMs: 2_000,
  startMs: 5_000,
  createMs: 10_000,
  leaseMs: 60_000,
};

/** A control plane on real ports, over a real store, with peers that speak the nodes' contract. */
export class Cluster implements AsyncDisposable {
  readonly store: SandboxStore;
  readonly control: ControlPlane;
  readonly url: string;
  readonly registry: string;
  readonly key: string;
  readonly nodes: PeerNode[] = [];
  readonly #cleanUps: (() => Promise<unknown>)[];

  constructor(
    parts: Pick<Cluster, "store" | "control" | "url" | "registry" | "key">,
    cleanUps: (() => Promise<unknown>)[],
  ) {
    this.store = parts.store;
    this.control = parts.control;
    this.url = parts.url;
    this.registry = parts.registry;
    this.key = parts.key;
    this.#cleanUps = cleanUps;
  }

  /** The first peer. */
  get node(): PeerNode {
    const [first] = this.nodes;
    if (first === undefined) throw new Error("the cluster has no node");
    return first;
  }

  async addNode(): Promise<PeerNode> {
    const node = new PeerNode(`node${this.nodes.length + 1}`, clusterToken);
    await node.up();
    this.#cleanUps.push(() => node.down());
    await node.register(this.registry);
    this.nodes.push(node);
    return node;
  }

  /** Adds a team and answers its key. */
  addTeam(teamId: string, quota = 100): Promise<string> {
    return addTeam(this.store, teamId, quota);
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { key = this.key, body, raw, headers = {}, signal } = options;
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { "X-API-Key": key }),
        ...(content === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(content === undefined ? {} : { body: content }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
  }

  /** Creates a sandbox and answers its id. */
  async create(body: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const answer = await this.call("POST", "/v2/sandboxes", { body: { templateID: "base", ...body } });
    if (answer.status !== 201) throw new Error(`create answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return stringField(answer.body, "sandboxID");
  }

  patch(sandboxId: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.call("PATCH", `/sandboxes/${sandboxId}/metadata`, { body, headers });
  }

  async metadata(sandboxId: string): Promise<unknown> {
    return field((await this.call("GET", `/sandboxes/${sandboxId}/metadata`)).body, "metadata");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanUp of this.#cleanUps.reverse()) await cleanUp();
  }
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cleanUps: (() => Promise<unknown>)[] = [];
  try {
    const logger = createLogger("api", process.env["CASTELLAN_TEST_LOG"] ?? "silent");
    let { store } = options;
    if (store === undefined) {
      const directory = await mkdtemp(join(tmpdir(), "castellan-api-"));
      cleanUps.push(() => rm(directory, { recursive: true }));
      store = await openStore(join(directory, "store.sqlite"), { logger, pushGraceMs: 200 });
    }
    const opened = store;
    if (options.closeStore !== false) cleanUps.push(() => opened.close());
    const key = await addTeam(opened, "team1", options.quota ?? 100);
    const control = await createControlPlane({
      store: opened,
      clusterToken,
      domain: "localhost:3000",
      logger,
      timing: { ...quick, ...options.timing },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.templateLimits === undefined ? {} : { templateLimits: options.templateLimits }),
      ...(options.push === undefined ? {} : { push: options.push }),
      ...(options.webhooks === undefined ? {} : { webhooks: options.webhooks }),
      ...(options.eventStreams === undefined ? {} : { eventStreams: options.eventStreams }),
    });
    cleanUps.push(() => control.close());
    const url = await control.rest.listen({ host: "127.0.0.1", port: 0 });
    const { url: registry } = await control.registry.listen({ host: "127.0.0.1", port: 0 });
    const cluster = new Cluster({ store: opened, control, url, registry, key }, cleanUps);
    for (let count = options.nodes ?? 1; count > 0; count -= 1) await cluster.addNode();
    if (options.loops !== false) control.start();
    return cluster;
  } catch (error) {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
    throw error;
  }
}

/** Tries until `check` no longer throws, for up to `withinMs`. */
export async function eventually(check: () => Promise<void> | void, withinMs = 8_000): Promise<void> {
  const until = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Something that a test opens once for everyone who waits. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}

/** The same store, with methods of the test's own. */
export function overriding(store: SandboxStore, methods: Partial<SandboxStore>): SandboxStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(Object.hasOwn(methods, name) ? methods : target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export function field(body: unknown, name: string): unknown {
  if (typeof body !== "object" || body === null) throw new Error(`no ${name} in ${JSON.stringify(body)}`);
  return Object.entries(body).find(([key]) => key === name)?.[1];
}

export function stringField(body: unknown, name: string): string {
  const value = field(body, name);
  if (typeof value !== "string") throw new Error(`no text ${name} in ${JSON.stringify(body)}`);
  return value;
}

export function numberField(body: unknown, name: string): number {
  const value = field(body, name);
  if (typeof value !== "number") throw new Error(`no number ${name} in ${JSON.stringify(body)}`);
  return value;
}

export function errorBody(code: number, message: unknown): { code: number; message: unknown } {
  return { code, message };
}

async function addTeam(store: SandboxStore, teamId: string, maxConcurrentSandboxes: number): Promise<string> {
  const key = `e2b_${randomBytes(20).toString("hex")}`;
  await store.putTeam({ teamId, name: teamId, maxConcurrentSandboxes });
  await store.putApiKey(
    { apiKeyId: `key-of-${teamId}`, teamId, name: "test" },
    createHash("sha256").update(key).digest("hex"),
  );
  return key;
}
