import { create, type DescMessage, fromJson, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { NodeRegisterRequestSchema, NodeService } from "@castellan/contracts/node";
import { SandboxService, SandboxUpdateRequestSchema } from "@castellan/contracts/sandbox";
import { type AppliedRevisions, CastellanError, type NodeRecord, type SandboxRecord } from "@castellan/domain";
import type { NewSandboxRecord, SandboxStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createEnding } from "../../apps/api/src/ending/ending.ts";
import { metadataHandlers } from "../../apps/api/src/handlers/metadata.ts";
import { createReconciler } from "../../apps/api/src/loops/reconciler.ts";
import { createRepusher } from "../../apps/api/src/loops/repush.ts";
import { type KnownNode, type NodeDirectory, StartCount } from "../../apps/api/src/nodes/directory.ts";
import { appliedOf, manifestOf } from "../../apps/api/src/nodes/messages.ts";
import type { NodeClient } from "../../apps/api/src/nodes/node-client.ts";
import { register } from "../../apps/api/src/nodes/registry.ts";
import { defaultTiming } from "../../apps/api/src/options.ts";
import { createPusher } from "../../apps/api/src/push/pusher.ts";
import type { WriteBack } from "../../apps/api/src/push/write-back.ts";
import { createVerification, type Verification } from "../../apps/api/src/recovery/verification.ts";
import type { Services } from "../../apps/api/src/services.ts";
import type { Answer } from "./answer.ts";
import { canonical, Interner, nameOf } from "./canonical.ts";
import { text } from "./node-part.ts";

/** Work of an API process, by the name of the code that does it. */
export type Task =
  | {
      readonly kind: "patch";
      readonly slot: string;
      readonly body: Readonly<Record<string, string | null>>;
      readonly ifMatch?: number;
    }
  | {
      readonly kind: "reconcile";
      readonly slot: string;
      readonly node: NodeRecord;
      /** The store's clock. */
      readonly now: number;
    }
  | {
      readonly kind: "register";
      readonly slot: string;
      readonly nodeId: string;
      readonly bootId: string;
      readonly epoch: number;
      readonly highestRevision: number;
    }
  | { readonly kind: "repush"; readonly slot: string }
  | {
      readonly kind: "kill";
      readonly slot: string;
      /** The operator has had the nodes forgotten, which is to vouch for them. */
      readonly nodesForgotten?: boolean;
    }
  | {
      readonly kind: "restart";
      readonly slot: string;
      readonly executionId: string;
      readonly nodeId: string;
      /** Whether the older execution's end is asked for before the newer one's start. */
      readonly endsOlder: boolean;
    };

/** Something that a task waits for. */
export type Call =
  | { readonly to: "store"; readonly method: string; readonly args: readonly unknown[] }
  | { readonly to: "node"; readonly nodeId: string; readonly method: string; readonly request: string }
  | {
      readonly to: "push";
      readonly nodeId: string;
      readonly executionId: string;
      readonly revision: number;
      readonly epoch: number;
      readonly request: string;
    };

interface Event {
  readonly call: number;
  readonly answer: Answer;
  readonly memory: Memory;
}

/** Confirmations that an API process has and the store may not, by execution. */
export type Noted = Readonly<Record<string, AppliedRevisions>>;

/** What an API process keeps beside the work that goes on. */
export interface Memory {
  /** Confirmations that are not in the store yet. */
  readonly noted: Noted;
  /** Which nodes have reported in which epoch, and of which every record was then fully verified. */
  readonly verified: Verified;
}

export interface Verified {
  readonly epoch: number;
  readonly reported: readonly string[];
  readonly done: readonly string[];
}

interface History {
  readonly task: Task;
  readonly memory: Memory;
  readonly events: readonly Event[];
}

/** Those that the work of the model needs. */
type ModelServices = Pick<
  Services,
  "store" | "clock" | "directory" | "pusher" | "ending" | "verification" | "logger" | "timing"
>;

/** Where a task has got to. */
export interface Progress {
  /** What it waits for, by the number under which it is answered. */
  readonly calls: ReadonlyMap<number, Call>;
  /** Absent while it goes on. */
  readonly result: Answer | undefined;
  readonly verified: Verified;
}

export const teamId = "t";
export const sandboxId = "i1";

/**
 * The real code of the API (handlers, loops, endings) as a function from what it was answered so far to what it does
 * next: it is run again from its start and given the same answers.
 */
export class ProcessPart {
  readonly #histories = new Interner<History>();
  readonly #answered = new Map<string, number>();
  readonly #progress = new Map<number, Promise<Progress>>();
  readonly #nodeIds: readonly string[];
  readonly #store: SandboxStore;

  readonly #asSeen: (store: SandboxStore) => SandboxStore;

  /** @param store any: its methods are never called, only known. */
  constructor(nodeIds: readonly string[], store: SandboxStore, asSeen = (seen: SandboxStore) => seen) {
    this.#nodeIds = nodeIds;
    this.#store = store;
    this.#asSeen = asSeen;
  }

  get size(): number {
    return this.#histories.size;
  }

  begin(task: Task, memory: Memory): number {
    return this.#histories.id({ task, memory, events: [] });
  }

  task(process: number): Task {
    return this.#histories.value(process).task;
  }

  answered(process: number, call: number, answer: Answer, memory: Memory): number {
    const key = `${process} ${call} ${nameOf(answer)} ${nameOf(memory)}`;
    const known = this.#answered.get(key);
    if (known !== undefined) return known;
    const history = this.#histories.value(process);
    const id = this.#histories.id({ ...history, events: [...history.events, { call, answer, memory }] }, key);
    this.#answered.set(key, id);
    return id;
  }

  progress(process: number): Promise<Progress> {
    let progress = this.#progress.get(process);
    if (progress === undefined) {
      progress = this.#replay(this.#histories.value(process));
      this.#progress.set(process, progress);
    }
    return progress;
  }

  async #replay(history: History): Promise<Progress> {
    const { task } = history;
    const calls = new Map<number, Call>();
    const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
    let { memory } = history;
    let count = 0;
    const ask = (call: Call): Promise<unknown> =>
      new Promise((resolve, reject) => {
        calls.set(count, call);
        open.set(count, { resolve, reject });
        count += 1;
      });
    let result: Answer | undefined;
    const verification = this.#verification(task, ask);
    verification.learn(memory.verified);
    const services = this.#services(task, ask, () => memory.noted, verification);
    const work = perform(task, services);
    work.then(
      (value) => {
        result = { value };
      },
      (error: unknown) => {
        result = { error };
      },
    );
    await settled();
    for (const event of history.events) {
      ({ memory } = event);
      verification.learn(memory.verified);
      const waiting = open.get(event.call);
      if (waiting === undefined) throw new Error(`${task.slot} does not wait for ${event.call}`);
      open.delete(event.call);
      calls.delete(event.call);
      if ("error" in event.answer) waiting.reject(event.answer.error);
      else waiting.resolve(event.answer.value);
      await settled();
    }
    if (result !== undefined && "error" in result && !isExpected(result.error)) throw result.error;
    return { calls, result, verified: verification.known() };
  }

  #asking(task: Task, ask: Ask): SandboxStore {
    return new Proxy(this.#store, {
      get:
        (_target, method) =>
        (...args: readonly unknown[]) =>
          ask({ to: "store", method: String(method), args: args.map((arg) => named(arg, task.slot)) }),
    });
  }

  /** The real one, which is told what the process knows, and asked what it knows then. */
  #verification(task: Task, ask: Ask): Verification & { learn(known: Verified): void; known(): Verified } {
    const logger = createLogger("model", "silent");
    const real = createVerification({ store: this.#asking(task, ask), clock: clockOf(task), leaseMs: 0, logger });
    let epoch = 0;
    const done = new Set<string>();
    const enter = (next: number) => {
      if (next > epoch) done.clear();
      epoch = Math.max(epoch, next);
      real.enter(next);
    };
    const isDone = (nodeId: string, of: number) => real.isDone(nodeId, of) || (of === epoch && done.has(nodeId));
    return {
      enter,
      get patienceIsOver() {
        return real.patienceIsOver;
      },
      hasReported(nodeId, of) {
        enter(of);
        return real.hasReported(nodeId, of);
      },
      reported(nodeId, of) {
        enter(of);
        real.reported(nodeId, of);
      },
      reopen(nodeId) {
        done.delete(nodeId);
        real.reopen(nodeId);
      },
      isDone,
      advance: (of) => real.advance(of),
      learn(known) {
        enter(known.epoch);
        if (known.epoch < epoch) return;
        for (const nodeId of known.reported) real.reported(nodeId, epoch);
        for (const nodeId of known.done) done.add(nodeId);
      },
      known: () => ({
        epoch,
        reported: this.#nodeIds.filter((nodeId) => real.hasReported(nodeId, epoch)),
        done: this.#nodeIds.filter((nodeId) => isDone(nodeId, epoch)),
      }),
    };
  }

  #services(task: Task, ask: Ask, noted: () => Noted, verification: Verification): ModelServices {
    const logger = createLogger("model", "silent");
    const asking = this.#asking(task, ask);
    const store = this.#asSeen(asking);
    const clock = clockOf(task);
    const timing = { ...defaultTiming, callMs: 0, leaseMs: 0 };
    const records =
      task.kind === "reconcile"
        ? [task.node]
        : task.kind === "kill" && task.nodesForgotten === true
          ? []
          : this.#nodeIds.map((nodeId) => nodeRecord(nodeId, ""));
    const nodes = new Map(records.map((record) => [record.nodeId, knownNode(record, ask)]));
    const directory: NodeDirectory = {
      all: () => [...nodes.values()],
      peek: (nodeId) => nodes.get(nodeId),
      find: async (nodeId) => nodes.get(nodeId),
      templateNames: () => [],
      refresh: async () => {},
      note: () => {},
      close: () => {},
    };
    const writeBack: WriteBack = {
      note: () => {},
      pending: (executionId) => noted()[executionId],
      flushed: async () => {},
      close: async () => {},
    };
    return {
      store,
      clock,
      directory,
      pusher: createPusher(directory, writeBack, clock),
      ending: createEnding({ store, directory, timing, logger, onEnded: () => {} }),
      verification,
      logger,
      timing,
    };
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof CastellanError || error instanceof ConnectError;
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function perform(task: Task, services: ModelServices): Promise<unknown> {
  const caller = { teamId, apiKeyId: "k", team: { teamId, name: teamId, maxConcurrentSandboxes: 10 } };
  switch (task.kind) {
    case "patch": {
      const headers = task.ifMatch === undefined ? {} : { "If-Match": `"${task.ifMatch}"` };
      const { patchSandboxMetadata } = metadataHandlers(services);
      const { signal } = new AbortController();
      const request = { params: { sandboxID: sandboxId }, query: {}, headers, body: { ...task.body } };
      return patchSandboxMetadata({ ...request, log: services.logger, signal, prefers: () => false }, caller);
    }
    case "reconcile":
      return createReconciler(services).once();
    case "register": {
      const { store, directory, logger } = services;
      const { nodeId, bootId } = task;
      const node = { nodeId, bootId, address: "http://node", gatewayAddress: "node:1", isolation: "runc" };
      const request = create(NodeRegisterRequestSchema, {
        node,
        epoch: BigInt(task.epoch),
        highestRevision: BigInt(task.highestRevision),
      });
      const options = { store, directory, logger, clusterToken: "", leaseMs: leaseMs, onRegistered: async () => {} };
      return register(options, request);
    }
    case "repush":
      return createRepusher(services).once();
    case "kill":
      return services.ending.kill(teamId, sandboxId, "requested");
    case "restart":
      return restart(services, task);
  }
}

/** A pause and a resume as another execution, which no handler of this version does: what they will come to. */
async function restart(
  { store, directory, clock }: ModelServices,
  task: Extract<Task, { kind: "restart" }>,
): Promise<string> {
  const before = await store.get(teamId, sandboxId);
  if (before === undefined) return "gone";
  const { executionId, generation, nodeId } = before;
  const key = { teamId, sandboxId };
  if (before.state === "running") await store.transition({ ...key, executionId, from: ["running"], to: "pausing" });
  if (task.endsOlder) {
    const epoch = BigInt(await store.epoch());
    const node = await directory.find(nodeId);
    await node?.client.sandboxes.delete({ epoch, sandboxId, executionId });
  }
  if (before.state !== "paused") await store.transition({ ...key, executionId, from: ["pausing"], to: "paused" });
  const next = { executionId: task.executionId, generation: generation + 1, nodeId: task.nodeId };
  const resuming = await store.transition({ ...key, executionId, from: ["paused"], to: "resuming", next });
  const node = await directory.find(task.nodeId);
  if (node === undefined) return "no node";
  const started = await node.client.sandboxes.create({
    epoch: BigInt(resuming.epoch),
    manifest: manifestOf(resuming, clock.now()),
  });
  await store.transition({
    ...key,
    executionId: task.executionId,
    from: ["resuming"],
    to: "running",
    confirmed: { bootId: started.bootId, applied: appliedOf(started.applied) },
  });
  return "running";
}

type Ask = (call: Call) => Promise<unknown>;

/** Far longer than anything here lasts. */
export const leaseMs = 1e9;

function clockOf(task: Task) {
  return { now: () => (task.kind === "reconcile" ? task.now : 0), sync: async () => {} };
}

/** Operation ids are random; here they are named after the request. */
function named(argument: unknown, slot: string): unknown {
  if (typeof argument !== "object" || argument === null || !("operationId" in argument)) return argument;
  return { ...argument, operationId: `op-${slot}` };
}

export function nodeRecord(nodeId: string, bootId: string): NodeRecord {
  return {
    nodeId,
    bootId,
    address: "http://node",
    gatewayAddress: "node:1",
    version: "0",
    isolation: "runc",
    isolations: ["runc"],
    capacity: { sandboxes: 10, cpuCount: 1, memoryBytes: 1 },
    usage: { sandboxes: 0, starting: 0 },
    templates: [],
    pauseWithMemory: false,
    leaseExpiresAt: Number.MAX_SAFE_INTEGER,
  };
}

function knownNode(record: NodeRecord, ask: Ask): KnownNode {
  const { nodeId } = record;
  const transport = askingTransport(nodeId, ask);
  const client: NodeClient = {
    sandboxes: createClient(SandboxService, transport),
    node: createClient(NodeService, transport),
    close: () => {},
  };
  return {
    nodeId,
    record,
    client,
    updates: {
      send: async ({ executionId, revision, epoch, message }) => {
        const request = text(toJson(SandboxUpdateRequestSchema, message()));
        return (await ask({ to: "push", nodeId, executionId, revision, epoch, request })) === true;
      },
      close: () => {},
    },
    starts: new StartCount(),
  };
}

function askingTransport(nodeId: string, ask: Ask): Transport {
  return {
    async unary(method, _signal, _timeoutMs, _header, input) {
      const request = text(toJson(method.input, made(method.input, input)));
      const answer = await ask({ to: "node", nodeId, method: method.localName, request });
      const message = fromJson(method.output, JSON.parse(String(answer)));
      const head = { header: new Headers(), trailer: new Headers() };
      return { stream: false, service: method.parent, method, message, ...head };
    },
    stream: () => Promise.reject(new Error("the model has no streams")),
  };
}

function made<I extends DescMessage>(schema: I, input: MessageInitShape<I>) {
  return create(schema, input);
}

export function describeRecord(record: SandboxRecord | undefined): string {
  if (record === undefined) return "nothing";
  const { state, executionId, generation, metadata } = record;
  return `${state} ${executionId}/${generation} ${canonical(metadata.value)}@${metadata.revision} applied ${metadata.applied}`;
}

/** A new sandbox's record, as the API writes it. */
export function newSandbox(epoch: number): NewSandboxRecord {
  return {
    sandboxId,
    executionId: "e1",
    teamId,
    apiKeyId: "k",
    nodeId: "n1",
    templateId: "base",
    resources: { cpuCount: 1, memoryMb: 1, diskMb: 1 },
    lifecycle: { autoPause: false, autoPauseMemory: false, autoResume: false },
    envdVersion: "0",
    envVars: {},
    metadata: new Map(),
    egress: { allowOut: [], denyOut: [] },
    lifetimeMs: 1e9,
    deadlineMs: 1e9,
    epoch,
  };
}
