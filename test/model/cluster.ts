import { fromJson, toJson } from "@bufbuild/protobuf";
import {
  SandboxCreateResponseSchema,
  SandboxManifestSchema,
  SandboxUpdateRequestSchema,
  SandboxUpdateResponseSchema,
  UpdateOutcome,
} from "@castellan/contracts/sandbox";
import type { SandboxRecord } from "@castellan/domain";
import type { Confirmation } from "@castellan/store";
import { appliedOf, manifestOf } from "../../apps/api/src/nodes/messages.ts";
import { type NodeWord, UpdateLedger } from "../../apps/api/src/push/update-ledger.ts";
import { mergeConfirmations } from "../../apps/api/src/push/write-back.ts";
import { type Answer, nodeSilent, storeSilent } from "./answer.ts";
import { canonical, Interner, nameOf } from "./canonical.ts";
import type { Budget, Chronicle, ClusterState, Message, NotedConfirmations, Running } from "./cluster-state.ts";
import { type Configuration, firstTime, nodeIds } from "./configuration.ts";
import { judgeAnswer, judgeEnds, judgeRest, judgeState, judgeStep, noteCommits, viewsOf } from "./judge.ts";
import { type NodeMethod, NodePart, text } from "./node-part.ts";
import {
  type Call,
  describeRecord,
  leaseMs,
  type Memory,
  type Noted,
  newSandbox,
  nodeRecord,
  ProcessPart,
  sandboxId,
  type Task,
  teamId,
  type Verified,
} from "./process-part.ts";
import type { Parts, Seams } from "./seams.ts";
import type { Model, Step } from "./search.ts";
import { StorePart } from "./store-part.ts";

const lateCommandMethods = ["editMetadata", "confirm", "transition"];

/** The whole of the system for one sandbox: one store, two nodes, two API processes, and what is between them. */
export class Cluster implements Model<ClusterState>, AsyncDisposable {
  readonly parts: Parts;
  readonly configuration: Configuration;
  readonly messages = new Interner<Message>();
  readonly chronicles = new Interner<Chronicle>();
  readonly #noted = new Interner<NotedConfirmations>();
  readonly #processes: ProcessPart;
  readonly #seams: Seams;
  readonly #abouts = new Map<number, string>();
  readonly #words = new Map<string, { readonly confirmation: Confirmation; readonly word: NodeWord }>();
  readonly #memories = new Map<string, Memory>();
  readonly #verified = new Interner<Verified>();
  readonly #written = new Map<string, number>();
  readonly #writeBacks = new Map<number, readonly [NotedConfirmations]>();
  readonly #judged = new Map<string, string | undefined>();
  readonly #quiet = new Map<string, string | undefined>();

  private constructor(parts: Parts, configuration: Configuration, seams: Seams) {
    this.parts = parts;
    this.configuration = configuration;
    this.#seams = seams;
    this.#processes = new ProcessPart(nodeIds, parts.store.store, seams.asSeen);
  }

  static async open(configuration: Configuration, seams: Seams = {}): Promise<Cluster> {
    return new Cluster({ store: await StorePart.open(), nodes: await NodePart.open() }, configuration, seams);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.store.close();
    await this.parts.nodes.close();
  }

  /** A sandbox that runs on the first node and is confirmed. */
  async initial(): Promise<ClusterState> {
    const { store: stores, nodes } = this.parts;
    let store = await stores.fresh(firstTime);
    const run = async (method: string, ...args: unknown[]) => {
      const step = await stores.run(store, firstTime, method, args);
      if ("error" in step.answer) throw step.answer.error;
      store = step.store;
    };
    await run("putTeam", { teamId, name: teamId, maxConcurrentSandboxes: 10 });
    for (const nodeId of nodeIds) await run("renewLease", leaseless(nodeRecord(nodeId, "b1")), leaseMs);
    const epoch = (await stores.run(store, firstTime, "epoch", [])).answer;
    if ("error" in epoch) throw epoch.error;
    await run("create", newSandbox(Number(epoch.value)), 10);
    const record = await this.record(store);
    if (record === undefined) throw new Error("it was created");
    const request = text({
      epoch: String(epoch.value),
      manifest: toJson(SandboxManifestSchema, manifestOf(record, 0)),
    });
    const started = await nodes.handle(nodes.fresh(), "b1", "create", request);
    if ("error" in started.answer) throw started.answer.error;
    const response = fromJson(SandboxCreateResponseSchema, JSON.parse(String(started.answer.value)));
    await run("transition", {
      teamId,
      sandboxId,
      executionId: "e1",
      from: ["creating"],
      to: "running",
      confirmed: { bootId: "b1", applied: appliedOf(response.applied) },
    });
    const everyNode = this.#verified.id({ epoch: Number(epoch.value), reported: nodeIds, done: nodeIds });
    const chronicle: Chronicle = {
      commits: [],
      acknowledged: [],
      answers: {},
      refused: [],
      killAsked: false,
      storeLost: false,
    };
    const state: ClusterState = {
      store,
      now: firstTime,
      saved: -1,
      nodes: nodeIds.map((_, index) => ({ content: index === 0 ? started.node : nodes.fresh(), boot: 1 })),
      running: [],
      messages: [],
      noted: [this.#noted.id([]), this.#noted.id([])],
      verified: [everyNode, everyNode],
      left: this.configuration.budget,
      todo: this.configuration.tasks.map(({ slot }) => slot),
      chronicle: this.chronicles.id(chronicle),
    };
    return { ...state, chronicle: this.chronicles.id(noteCommits(chronicle, undefined, await this.record(store), "")) };
  }

  key(state: ClusterState): string {
    const nodes = state.nodes.map(({ content, boot }) => `${content}.${boot}`).join();
    const running = state.running.map(({ slot, api, process }) => `${slot}.${api}.${process}`).join();
    const left = Object.values(state.left).join(".");
    return `${state.store}|${state.now}|${state.saved}|${nodes}|${running}|${state.messages.join()}|${state.noted.join()}|${state.verified.join()}|${left}|${state.todo.join()}|${state.chronicle}`;
  }

  async record(store: number): Promise<SandboxRecord | undefined> {
    return this.parts.store.record(store, sandboxId);
  }

  chronicle(state: ClusterState): Chronicle {
    return this.chronicles.value(state.chronicle);
  }

  /** The chronicle with an event more. `name` tells events apart. */
  written(state: ClusterState, name: string, write: (chronicle: Chronicle) => Chronicle): number {
    const key = `${state.chronicle} ${name}`;
    let next = this.#written.get(key);
    if (next === undefined) {
      next = this.chronicles.id(write(this.chronicle(state)));
      this.#written.set(key, next);
    }
    return next;
  }

  async steps(state: ClusterState): Promise<readonly Step<ClusterState>[]> {
    const steps: Step<ClusterState>[] = [];
    for (const running of state.running) await this.#stepsOf(state, running, steps);
    await this.#messageSteps(state, steps);
    for (const [api, noted] of state.noted.entries()) {
      if (this.#noted.value(noted).length > 0) steps.push(await this.writeBack(state, api));
    }
    for (const slot of state.todo) {
      const step = await this.#begin(state, slot);
      if (step !== undefined) steps.push(step);
    }
    await this.#loopSteps(state, steps);
    await this.#faultSteps(state, steps);
    return steps;
  }

  async check(state: ClusterState): Promise<string | undefined> {
    return (await this.#judge(state)) ?? (await this.#atRest(state));
  }

  async #judge(state: ClusterState): Promise<string | undefined> {
    const key = `${state.store}|${state.nodes.map(({ content }) => content).join()}|${state.chronicle}`;
    if (!this.#judged.has(key)) this.#judged.set(key, await judgeState(this, state));
    return this.#judged.get(key);
  }

  async describe(state: ClusterState): Promise<string> {
    const record = await this.record(state.store);
    const nodes = state.nodes.map(({ content, boot }, index) => {
      const { held, running } = this.parts.nodes.view(content, sandboxId);
      return `${nodeIds[index]}(boot ${boot}) runs [${running.join()}] holds ${canonical(held.metadata.value)}@${held.metadata.revision}`;
    });
    const between = state.messages.map((id) => describeMessage(this.messages.value(id)));
    return [
      `store: ${describeRecord(record)}`,
      ...nodes,
      ...(between.length > 0 ? [`on the way: ${between.join("; ")}`] : []),
    ].join("\n      ");
  }

  // Steps of work that goes on

  async #stepsOf(state: ClusterState, running: Running, steps: Step<ClusterState>[]): Promise<void> {
    const { slot, process } = running;
    const { calls } = await this.#processes.progress(process);
    for (const [number, call] of calls) {
      if (call.to === "store") {
        steps.push(await this.callStore(state, running, number, call));
        if (state.left.lostAnswers > 0) {
          const executed = await this.#runStore(spend(state, "lostAnswers"), call.method, call.args);
          const unanswered = await this.#answer(executed.state, running, number, storeSilent);
          steps.push({
            ...unanswered,
            violation: executed.violation ?? unanswered.violation,
            label: `${slot}: ${call.method} takes effect, its answer is lost`,
          });
        }
        if (state.left.lateCommands > 0 && lateCommandMethods.includes(call.method)) {
          const message: Message = { kind: "command", method: call.method, args: call.args };
          const sent = this.#send(spend(state, "lateCommands"), [message]);
          const step = await this.callStore(sent, running, number, call);
          steps.push({ ...step, label: `${step.label}, sent twice` });
        }
      } else if (state.left.silences > 0) {
        const answer = call.to === "node" ? nodeSilent : { value: false };
        const step = await this.#answer(spend(state, "silences"), running, number, answer);
        steps.push({ ...step, label: `${slot}: waited long enough for ${call.nodeId}` });
      }
    }
  }

  /** The store does what is asked and answers. */
  async callStore(
    state: ClusterState,
    running: Running,
    number: number,
    call: Extract<Call, { to: "store" }>,
  ): Promise<Step<ClusterState>> {
    const executed = await this.#runStore(state, call.method, call.args);
    const answered = await this.#answer(executed.state, running, number, executed.answer);
    return {
      label: `${running.slot}: ${call.method}${"error" in executed.answer ? ` refused: ${canonical(executed.answer.error)}` : ""}`,
      state: answered.state,
      violation: executed.violation ?? answered.violation,
    };
  }

  async #runStore(
    state: ClusterState,
    method: string,
    args: readonly unknown[],
  ): Promise<{ state: ClusterState; answer: Answer; violation?: string | undefined }> {
    const through = await this.#seams.toStore?.(this.parts, state.store, method, args);
    const step = await this.parts.store.run(through?.store ?? state.store, state.now, method, through?.args ?? args);
    const answer = this.#seams.fromStore?.(method, step.answer) ?? step.answer;
    if (step.store === state.store) return { state, answer };
    const [before, after] = await Promise.all([this.record(state.store), this.record(step.store)]);
    const violation = judgeStep(before, after);
    const operation = operationOf(args);
    const chronicle = this.written(state, `${state.store}>${step.store} ${operation}`, (earlier) =>
      noteCommits(earlier, before, after, operation),
    );
    return { state: { ...state, store: step.store, chronicle }, answer, violation };
  }

  /** Gives one answer to one piece of work, and sends what that makes it send. */
  async #answer(state: ClusterState, running: Running, number: number, answer: Answer): Promise<Step<ClusterState>> {
    const before = await this.#processes.progress(running.process);
    const process = this.#processes.answered(running.process, number, answer, this.#memory(state, running.api));
    return this.#moved(state, { ...running, process }, before.calls);
  }

  async #moved(state: ClusterState, running: Running, before: ReadonlyMap<number, Call>): Promise<Step<ClusterState>> {
    const { slot, api, process } = running;
    const { calls, result, verified } = await this.#processes.progress(process);
    const sent: Message[] = [];
    for (const [number, call] of calls) {
      if (before.has(number) || call.to === "store") continue;
      const node = nodeIds.indexOf(call.nodeId);
      if (call.to === "push") sent.push({ kind: "push", api, node, request: call.request });
      else sent.push({ kind: "request", slot, call: number, node, method: call.method, request: call.request });
    }
    const knowing = { ...state, verified: state.verified.with(api, this.#verified.id(verified)) };
    const next = this.#send(knowing, sent);
    if (result === undefined) {
      const going = { ...next, running: replaced(next.running, running) };
      for (const [number, call] of calls) {
        if (call.to === "store" && this.#isSettled(call.method)) return this.callStore(going, running, number, call);
      }
      return { label: "", state: going };
    }
    const ended = this.#withoutSlot({ ...next, running: next.running.filter((one) => one.slot !== slot) }, slot);
    return judgeAnswer(this, ended, this.#processes.task(process), result);
  }

  /** Whether a call reads what nothing in this configuration changes: when it happens makes no difference then. */
  #isSettled(method: string): boolean {
    const { rollbacks, wipes, registrations, lapses } = this.configuration.budget;
    if (method === "listForgottenNodes") return true;
    if (method === "listNodes") return wipes + rollbacks + lapses + registrations === 0;
    return method === "epoch" && wipes + rollbacks + registrations === 0;
  }

  #memory(state: ClusterState, api: number): Memory {
    const key = `${state.noted[api]} ${state.verified[api]}`;
    let memory = this.#memories.get(key);
    if (memory === undefined) {
      memory = {
        noted: notedOf(this.#noted.value(state.noted[api] ?? 0)),
        verified: this.#verified.value(state.verified[api] ?? 0),
      };
      this.#memories.set(key, memory);
    }
    return memory;
  }

  // Messages

  async #messageSteps(state: ClusterState, steps: Step<ClusterState>[]): Promise<void> {
    for (const id of new Set(state.messages)) {
      const message = this.messages.value(id);
      const without = { ...state, messages: removed(state.messages, id) };
      const about = this.#about(id);
      const delivered = await this.deliver(without, message);
      steps.push({ ...delivered, label: `delivered: ${about}` });
      const goesToNode = message.kind === "request" || message.kind === "push";
      if (goesToNode && state.left.duplicates > 0) {
        const twice = await this.deliver(spend(state, "duplicates"), message);
        steps.push({ ...twice, label: `delivered, and will be again: ${about}` });
      }
      if (state.left.losses > 0) {
        steps.push({ label: `lost: ${about}`, state: spend(without, "losses") });
      }
    }
  }

  #about(id: number): string {
    let about = this.#abouts.get(id);
    if (about === undefined) {
      about = describeMessage(this.messages.value(id));
      this.#abouts.set(id, about);
    }
    return about;
  }

  async deliver(state: ClusterState, message: Message): Promise<Step<ClusterState>> {
    switch (message.kind) {
      case "request": {
        const { method, request, node, slot, call } = message;
        const step = await this.#tellNode(state, node, method, request);
        if (slot === "") return step;
        const response: Message = { kind: "response", slot, call, node, answer: step.answer };
        return { ...step, state: this.#send(step.state, [response]) };
      }
      case "push": {
        const { node, api, request } = message;
        const step = await this.#tellNode(state, node, "update", request);
        if (api < 0 || "error" in step.answer) return step;
        const word: Message = { kind: "word", api, node, response: String(step.answer.value) };
        return { ...step, state: this.#send(step.state, [word]) };
      }
      case "response": {
        const running = state.running.find(({ slot }) => slot === message.slot);
        if (running === undefined) return { label: "", state };
        const { calls } = await this.#processes.progress(running.process);
        if (!calls.has(message.call)) return { label: "", state };
        return this.#answer(state, running, message.call, message.answer);
      }
      case "word":
        return this.#takeWord(state, message.api, message.response);
      case "command":
        return { label: "", ...(await this.#runStore(state, message.method, message.args)) };
    }
  }

  async #tellNode(
    state: ClusterState,
    index: number,
    method: string,
    request: string,
  ): Promise<Step<ClusterState> & { readonly answer: Answer }> {
    const node = state.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    const verb = nodeMethod(method);
    const through = this.#seams.toNode?.(this.parts, node.content, verb, request);
    const bootId = `b${node.boot}`;
    const real = await this.parts.nodes.handle(
      through?.node ?? node.content,
      bootId,
      verb,
      through?.request ?? request,
    );
    const step = this.#seams.fromNode?.(node.content, real, verb) ?? real;
    const nodes = state.nodes.with(index, { ...node, content: step.node });
    const told = { ...state, nodes };
    const judged = await judgeEnds(this, state, told, index, verb, request, step.answer);
    return { label: "", state: judged.state, violation: judged.violation, answer: step.answer };
  }

  /** A node's confirmation arrives: it is noted, and whoever waits for as much is answered. */
  async #takeWord(state: ClusterState, api: number, response: string): Promise<Step<ClusterState>> {
    const { confirmation, word } = this.#readWord(response);
    const { executionId } = word;
    let next = state;
    if (word.outcome === "held") {
      const all = this.#noted.value(state.noted[api] ?? 0);
      const before = all.find((one) => one.executionId === executionId);
      const others = all.filter((one) => one.executionId !== executionId);
      const merged = before === undefined ? confirmation : mergeConfirmations(before, confirmation);
      next = { ...state, noted: state.noted.with(api, this.#noted.id([...others, merged])) };
    }
    let violation: string | undefined;
    for (const { slot } of state.running.filter((one) => one.api === api)) {
      const running = next.running.find((one) => one.slot === slot);
      if (running === undefined) continue;
      const { calls } = await this.#processes.progress(running.process);
      for (const [number, call] of calls) {
        if (call.to !== "push" || call.executionId !== executionId) continue;
        const settled = await settles(call, word);
        if (settled === undefined) continue;
        const step = await this.#answer(next, running, number, { value: settled });
        next = step.state;
        violation ??= step.violation;
        break;
      }
    }
    return { label: "", state: next, violation };
  }

  #readWord(response: string): { readonly confirmation: Confirmation; readonly word: NodeWord } {
    let read = this.#words.get(response);
    if (read === undefined) {
      const { epoch: wireEpoch, bootId, result } = fromJson(SandboxUpdateResponseSchema, JSON.parse(response));
      if (result === undefined) throw new Error("a node answers an update with its result");
      const { executionId } = result;
      const [epoch, applied] = [Number(wireEpoch), appliedOf(result.applied)];
      const outcome = result.outcome === UpdateOutcome.HELD ? "held" : "refused";
      read = {
        confirmation: { teamId, sandboxId, executionId, epoch, bootId, applied },
        word: { executionId, epoch, applied, outcome },
      };
      this.#words.set(response, read);
    }
    return read;
  }

  /** A process brings into the store what it has noted. */
  async writeBack(state: ClusterState, api: number): Promise<Step<ClusterState>> {
    const noted = this.#noted.value(state.noted[api] ?? 0);
    const cleared = { ...state, noted: state.noted.with(api, this.#noted.id([])) };
    const args = this.#writeBacks.get(state.noted[api] ?? 0) ?? ([noted] as const);
    this.#writeBacks.set(state.noted[api] ?? 0, args);
    const { state: written, violation } = await this.#runStore(cleared, "confirm", args);
    return { label: `api${api + 1}: writes back ${noted.map(describeConfirmation).join()}`, state: written, violation };
  }

  #messageId(message: Message): number {
    return this.messages.id(message, nameOfMessage(message));
  }

  #send(state: ClusterState, messages: readonly Message[]): ClusterState {
    if (messages.length === 0) return state;
    const ids = messages.map((message) => this.#messageId(message));
    return { ...state, messages: [...state.messages, ...ids].sort((a, b) => a - b) };
  }

  /** Nobody waits any more for what this slot was to be answered. */
  #withoutSlot(state: ClusterState, slot: string): ClusterState {
    const messages = state.messages.flatMap((id) => {
      const message = this.messages.value(id);
      if (!("slot" in message) || message.slot !== slot) return [id];
      return message.kind === "response" ? [] : [this.#messageId({ ...message, slot: "", call: 0 })];
    });
    return { ...state, messages: messages.sort((a, b) => a - b) };
  }

  // What begins

  async #begin(state: ClusterState, slot: string): Promise<Step<ClusterState> | undefined> {
    const planned = this.configuration.tasks.find((task) => task.slot === slot);
    if (planned === undefined) throw new Error(`nothing is planned for ${slot}`);
    if (planned.after !== undefined && this.chronicle(state).answers[planned.after] === undefined) return undefined;
    const record = await this.record(state.store);
    const { task } = planned;
    const started = { ...state, todo: state.todo.filter((one) => one !== slot) };
    const begun = task.kind === "kill" ? this.#chronicled(started, { killAsked: true }) : started;
    const read = task.kind === "patch" && planned.ifMatchesNow === true && record !== undefined;
    const step = await this.begin(
      begun,
      read ? { ...task, ifMatch: record.metadata.revision } : task,
      planned.api ?? 0,
    );
    return { ...step, label: `${slot} begins${read ? ` with If-Match ${record.metadata.revision}` : ""}` };
  }

  async begin(state: ClusterState, task: Task, api: number): Promise<Step<ClusterState>> {
    const process = this.#processes.begin(task, this.#memory(state, api));
    const running = { slot: task.slot, api, process };
    return this.#moved({ ...state, running: [...state.running, running] }, running, new Map());
  }

  async #loopSteps(state: ClusterState, steps: Step<ClusterState>[]): Promise<void> {
    if (state.left.reconciles > 0) {
      for (const [index, nodeId] of nodeIds.entries()) {
        const task = this.reconcileTask(state, index);
        if (state.running.some(({ slot }) => slot === task.slot)) continue;
        const step = await this.begin(spend(state, "reconciles"), task, 0);
        steps.push({ ...step, label: `a round of the reconciler over ${nodeId} begins` });
      }
    }
    if (state.left.repushes > 0 && !state.running.some(({ slot }) => slot === "repush")) {
      const step = await this.begin(spend(state, "repushes"), { kind: "repush", slot: "repush" }, 0);
      steps.push({ ...step, label: "a round of the re-push loop begins" });
    }
  }

  reconcileTask(state: ClusterState, index: number): Task {
    const nodeId = nodeIds[index] ?? "";
    const node = nodeRecord(nodeId, `b${state.nodes[index]?.boot}`);
    return { kind: "reconcile", slot: `reconcile-${nodeId}`, node, now: state.now };
  }

  async #faultSteps(state: ClusterState, steps: Step<ClusterState>[]): Promise<void> {
    const { left } = state;
    if (left.nodeRestarts > 0) {
      for (const index of nodeIds.keys()) {
        const restarted = await this.restartNode(spend(state, "nodeRestarts"), index);
        steps.push({ label: `${nodeIds[index]} is killed and started again`, state: restarted });
      }
    }
    if (left.apiCrashes > 0) {
      for (const api of state.noted.keys()) {
        steps.push({
          label: `api${api + 1} is killed and started again`,
          state: this.#crashApi(spend(state, "apiCrashes"), api),
        });
      }
    }
    for (const [index, nodeId] of nodeIds.entries()) {
      if (left.registrations > 0) {
        const step = await this.begin(spend(state, "registrations"), this.#registration(state, index), 0);
        steps.push({ ...step, label: `${nodeId} registers` });
      }
      if (left.lapses > 0) {
        const node = leaseless(nodeRecord(nodeId, `b${state.nodes[index]?.boot}`));
        const { state: lapsed } = await this.#runStore(spend(state, "lapses"), "renewLease", [node, -1]);
        steps.push({ label: `the lease of ${nodeId} runs out`, state: lapsed });
      }
    }
    if (left.rollbacks > 0 && state.saved < 0) {
      steps.push({ label: "the store's content is put by", state: { ...state, saved: state.store } });
    }
    if (left.rollbacks > 0 && state.saved >= 0) {
      const now = state.now + 100;
      const store = await this.parts.store.reopened(state.saved, now);
      const lost = this.#withStoreLost({ ...spend(state, "rollbacks"), store, now, saved: -1 });
      steps.push({ label: "the store is set back to what was put by, and opened again", state: lost });
    }
    if (left.wipes > 0) {
      const now = state.now + 100;
      const store = await this.parts.store.fresh(now);
      const team = { teamId, name: teamId, maxConcurrentSandboxes: 10 };
      const step = await this.parts.store.run(store, now, "putTeam", [team]);
      const lost = this.#withStoreLost({ ...spend(state, "wipes"), store: step.store, now });
      steps.push({ label: "the store is emptied, and opened again", state: lost });
    }
    if (left.clockBacks > 0) {
      steps.push({ label: "the clock steps back", state: { ...spend(state, "clockBacks"), now: state.now - 500 } });
    }
    if (left.clockForwards > 0) {
      steps.push({ label: "time passes", state: { ...spend(state, "clockForwards"), now: state.now + 100 } });
    }
  }

  async restartNode(state: ClusterState, index: number): Promise<ClusterState> {
    const node = state.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    const boot = node.boot + 1;
    const { node: content } = await this.parts.nodes.restarted(node.content, `b${boot}`);
    return { ...state, nodes: state.nodes.with(index, { content, boot }) };
  }

  /** What no node holds either is lost with the store. */
  #withStoreLost(state: ClusterState): ClusterState {
    const held = Math.max(...viewsOf(this, state).map((view) => view.held.metadata.revision));
    const { acknowledged } = this.chronicle(state);
    return this.#chronicled(state, {
      storeLost: true,
      acknowledged: acknowledged.filter(({ revision }) => revision <= held),
    });
  }

  #registration(state: ClusterState, index: number): Task {
    const node = state.nodes[index];
    const { epoch, highestRevision } = this.parts.nodes.view(node?.content ?? 0, sandboxId);
    const nodeId = nodeIds[index] ?? "";
    return { kind: "register", slot: `register-${nodeId}`, nodeId, bootId: `b${node?.boot}`, epoch, highestRevision };
  }

  /** What it was doing is over, what it had noted is gone; what it sent is on its way. */
  #crashApi(state: ClusterState, api: number): ClusterState {
    let next: ClusterState = {
      ...state,
      noted: state.noted.with(api, this.#noted.id([])),
      verified: state.verified.with(api, this.#verified.id(unheard)),
    };
    for (const { slot } of state.running.filter((one) => one.api === api)) {
      next = this.#withoutSlot({ ...next, running: next.running.filter((one) => one.slot !== slot) }, slot);
      next = this.#chronicled(next, { answers: { ...this.chronicle(next).answers, [slot]: "nobody knows" } });
    }
    const messages = next.messages.flatMap((id) => {
      const message = this.messages.value(id);
      if (!("api" in message) || message.api !== api) return [id];
      return message.kind === "word" ? [] : [this.#messageId({ ...message, api: -1 })];
    });
    return { ...next, messages: messages.sort((a, b) => a - b) };
  }

  #chronicled(state: ClusterState, changes: Partial<Chronicle>): ClusterState {
    return { ...state, chronicle: this.chronicles.id({ ...this.chronicle(state), ...changes }) };
  }

  // Coming to rest

  /** What is wrong once everything under way has arrived and the loops have gone round. */
  async #atRest(state: ClusterState): Promise<string | undefined> {
    let now = await this.#drain(state);
    const start = this.#restKey(now);
    if (this.#quiet.has(start)) return this.#quiet.get(start);
    let violation: string | undefined = now.violation;
    for (let round = 1; violation === undefined; round += 1) {
      const before = this.#restKey(now);
      now = await this.#round({ ...now.state, now: Math.max(now.state.now, restTime * round) }, round < 3);
      violation = now.violation ?? (await this.#judge(now.state));
      if (round > 3 && this.#restKey(now) === before) break;
      if (round === maxRounds) violation ??= "it does not come to rest";
    }
    violation ??= await judgeRest(this, now.state);
    this.#quiet.set(start, violation);
    return violation;
  }

  #restKey({ state }: Step<ClusterState>): string {
    const nodes = state.nodes.map(({ content, boot }) => `${content}.${boot}`).join();
    return `${state.store}|${nodes}|${state.chronicle}|${state.now < restTime ? state.now : 0}`;
  }

  async #round(state: ClusterState, registering: boolean): Promise<Step<ClusterState>> {
    let step: Step<ClusterState> = { label: "", state };
    const then = async (next: Step<ClusterState>) => {
      const drained = await this.#drain(next.state);
      step = { ...drained, violation: step.violation ?? next.violation ?? drained.violation };
    };
    for (const index of registering ? nodeIds.keys() : []) {
      await then(await this.begin(step.state, this.#registration(step.state, index), 0));
    }
    for (const index of nodeIds.keys())
      await then(await this.begin(step.state, this.reconcileTask(step.state, index), 0));
    await then(await this.begin(step.state, { kind: "repush", slot: "repush" }, 0));
    return step;
  }

  /** Everything under way arrives, nothing goes wrong. */
  async #drain(state: ClusterState): Promise<Step<ClusterState>> {
    let step: Step<ClusterState> = { label: "", state };
    for (;;) {
      const next = await this.#drainOne(step.state);
      if (next === undefined) return step;
      step = { ...next, violation: step.violation ?? next.violation };
    }
  }

  async #drainOne(state: ClusterState): Promise<Step<ClusterState> | undefined> {
    for (const running of state.running) {
      const { calls } = await this.#processes.progress(running.process);
      for (const [number, call] of calls) {
        if (call.to === "store") return this.callStore(state, running, number, call);
      }
    }
    const [id] = state.messages;
    if (id !== undefined) {
      return this.deliver({ ...state, messages: removed(state.messages, id) }, this.messages.value(id));
    }
    for (const [api, noted] of state.noted.entries()) {
      if (this.#noted.value(noted).length > 0) return this.writeBack(state, api);
    }
    const [running] = state.running;
    if (running === undefined) return undefined;
    // What it waits for was lost.
    const { calls } = await this.#processes.progress(running.process);
    const [first] = calls;
    if (first === undefined) throw new Error(`${running.slot} waits for nothing and does not end`);
    return this.#answer(state, running, first[0], first[1].to === "push" ? { value: false } : nodeSilent);
  }
}

const unheard: Verified = { epoch: 0, reported: [], done: [] };
const restTime = 1_000_000_000;
const maxRounds = 9;

function nameOfMessage(message: Message): string {
  switch (message.kind) {
    case "request":
      return `request ${message.slot} ${message.call} ${message.node} ${message.method} ${message.request}`;
    case "response":
      return `response ${message.slot} ${message.call} ${message.node} ${nameOf(message.answer)}`;
    case "push":
      return `push ${message.api} ${message.node} ${message.request}`;
    case "word":
      return `word ${message.api} ${message.node} ${message.response}`;
    case "command":
      return `command ${message.method} ${nameOf(message.args)}`;
  }
}

function spend(state: ClusterState, what: keyof Budget): ClusterState {
  return { ...state, left: { ...state.left, [what]: state.left[what] - 1 } };
}

function replaced(all: readonly Running[], one: Running): Running[] {
  return all.map((other) => (other.slot === one.slot ? one : other));
}

function removed(ids: readonly number[], id: number): number[] {
  return ids.toSpliced(ids.indexOf(id), 1);
}

function notedOf(noted: NotedConfirmations): Noted {
  return Object.fromEntries(noted.map(({ executionId, applied }) => [executionId, applied]));
}

function operationOf([argument]: readonly unknown[]): string {
  if (typeof argument !== "object" || argument === null || !("operationId" in argument)) return "";
  return String(argument.operationId);
}

/** What the ledger of a node's updates makes of a word about this one: `undefined` where it goes on waiting. */
async function settles(
  { executionId, revision, epoch }: Extract<Call, { to: "push" }>,
  word: NodeWord,
): Promise<boolean | undefined> {
  const ledger = new UpdateLedger();
  const message = () => fromJson(SandboxUpdateRequestSchema, {});
  let answer: boolean | undefined;
  const update = { teamId, sandboxId, executionId, field: "metadata", revision, epoch, message } as const;
  void ledger.enter(update, 3_600_000).held.then((held) => {
    answer = held;
  });
  ledger.takeDue(1);
  ledger.settle(word);
  await Promise.resolve();
  const decided = answer;
  ledger.clear();
  return decided;
}

function nodeMethod(method: string): NodeMethod {
  if (method === "create" || method === "update" || method === "list" || method === "delete") return method;
  throw new Error(`the model's nodes have no ${method}`);
}

function leaseless<T extends { readonly leaseExpiresAt: number }>({ leaseExpiresAt: _lease, ...node }: T) {
  return node;
}

function describeMessage(message: Message): string {
  switch (message.kind) {
    case "request":
      return `${message.method} to ${nodeIds[message.node]} ${brief(message.request)}`;
    case "response":
      return `${nodeIds[message.node]}'s answer to ${message.slot}`;
    case "push":
      return `push to ${nodeIds[message.node]} ${brief(message.request)}`;
    case "word":
      return `${nodeIds[message.node]}'s confirmation ${brief(message.response)}`;
    case "command":
      return `a second ${message.method}`;
  }
}

function brief(json: string): string {
  const found = json.matchAll(
    /"(executionId|epoch|outcome|metadata)":("[^"]*"|\{"entries":\{[^}]*\},"revision":"\d+"\})/g,
  );
  return [...found].map(([, name, value]) => `${name}=${value?.replaceAll('"', "")}`).join(" ");
}

function describeConfirmation({ executionId, applied, bootId }: Confirmation): string {
  return `${executionId}@${applied.metadata} of ${bootId}`;
}
