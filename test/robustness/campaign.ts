import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiClient } from "./api-client.ts";
import { findLostEdits } from "./checker/lost-edits.ts";
import { checkNodeView } from "./checker/node-view.ts";
import { checkSandbox, describeFailure } from "./checker/report.ts";
import { diceFrom } from "./dice.ts";
import { type Fault, NotReached, planFaults } from "./faults.ts";
import { startInstallation } from "./installation.ts";
import { NodeWatch } from "./node-watch.ts";
import type { Subject } from "./subject.ts";
import { killSubject, type Ledger, readMetadata, runClient, Slot } from "./traffic.ts";

export interface CampaignOptions {
  readonly store: "sqlite" | "redis";
  readonly seconds: number;
  readonly seed: number;
  /** Default 32. */
  readonly clients?: number;
  /** Over real sandboxes. Default false: the node's code over files in their place. */
  readonly real?: boolean;
  /** Default true. */
  readonly withFaults?: boolean;
  /** Where reports of failing histories go. */
  readonly reports: string;
  /** Told of every fault and of progress. */
  readonly log?: (line: string) => void;
}

export interface CampaignResult {
  readonly store: "sqlite" | "redis";
  readonly seed: number;
  /** Edits answered with 200 or 202, and those of them with 202. */
  readonly acked: number;
  readonly accepted: number;
  readonly unknown: number;
  /** Acknowledged edits whose effect is gone although nothing explains it. */
  readonly lost: number;
  /** Sandboxes on which store and node did not agree after quiet. */
  readonly diverged: number;
  /** Sandboxes with a history that has no order, or that nodes contradicted. */
  readonly illegal: number;
  readonly undecided: number;
  readonly sandboxes: number;
  readonly seconds: number;
  readonly faults: ReadonlyMap<string, number>;
  /** Answers of 500 and above while nothing was broken, and had not been for a while. */
  readonly unexplained: readonly string[];
  readonly reports: readonly string[];
  /** Of the longest check of one sandbox, in milliseconds. */
  readonly longestCheckMs: number;
}

const clientsPerSlot = 4;
/** What a fault has broken may go on failing for so long: processes reconnect, records are verified anew. */
const graceMs = 6_000;
const quietMs = 60_000;

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { store, seed, seconds, clients = 32, real = false, withFaults = true, log = () => {} } = options;
  const dice = diceFrom(seed).part(store);
  const installation = await startInstallation({ store, dice: dice.part("links"), real });
  const ledger: Ledger = { acked: 0, accepted: 0, unknown: 0, serverErrors: [], subjects: new Map() };
  const apis = installation.apis.map(({ url }) => new ApiClient(url, installation.apiKey, clients));
  const watches = installation.nodes.map(
    ({ nodeId, url }) => new NodeWatch(nodeId, url, installation.clusterToken, ledger.subjects),
  );
  const broken: { from: number; to: number }[] = [];
  const faults = new Map<string, number>();
  const reports: string[] = [];
  const totals = { lost: 0, diverged: 0, illegal: 0, undecided: 0, sandboxes: 0, longestCheckMs: 0 };
  const retiring = new Set<Promise<void>>();
  let isQuiet = false;
  let quietSince = Number.POSITIVE_INFINITY;
  try {
    await nodesAreKnown(apis, 60_000);
    const started = performance.now();
    const isOver = () => performance.now() - started > seconds * 1_000;
    const onRetired = (subject: Subject) => {
      const work = settle(subject).finally(() => retiring.delete(work));
      retiring.add(work);
    };
    const slots = Array.from(
      { length: Math.ceil(clients / clientsPerSlot) },
      (_, index) => new Slot(`slot-${index}`, ledger, onRetired),
    );
    const running = Array.from({ length: clients }, (_, index) => {
      const slot = slots[index % slots.length];
      const name = `c${index}`;
      return slot === undefined ? undefined : runClient(name, dice.part(name), apis, slot, ledger, isOver);
    });
    const breaking = withFaults ? inflictFaults(isOver) : undefined;
    const progress = setInterval(() => log(progressLine(started)), 15_000);
    try {
      await Promise.all([...running, breaking]);
    } finally {
      clearInterval(progress);
    }
    const took = (performance.now() - started) / 1_000;
    isQuiet = true;
    quietSince = performance.now();
    for (const slot of slots) slot.retire();
    while (retiring.size > 0) await Promise.all(retiring);

    const unexplained = ledger.serverErrors.filter((error) => !wasBroken(error.call, error.return));
    return {
      store,
      seed,
      acked: ledger.acked,
      accepted: ledger.accepted,
      unknown: ledger.unknown,
      ...totals,
      seconds: took,
      faults,
      unexplained: unexplained.map(({ call, status, what }) => `${what} at ${call.toFixed(0)} ms: ${status}`),
      reports,
    };
  } finally {
    await Promise.all(watches.map((watch) => watch.stop()));
    await Promise.all(apis.map((api) => api.close()));
    await installation.dispose();
  }

  function progressLine(started: number): string {
    const seconds = (performance.now() - started) / 1_000;
    const { acked, unknown } = ledger;
    return `${store} ${seconds.toFixed(0)} s: acked=${acked} unknown=${unknown} judged=${totals.sandboxes} lost=${totals.lost} illegal=${totals.illegal} edits/s=${(acked / seconds).toFixed(0)}`;
  }

  async function inflictFaults(isOver: () => boolean): Promise<void> {
    const gaps = dice.part("gaps");
    const plan = planFaults(installation, dice.part("faults"));
    while (!isOver()) {
      await sleep(gaps.between(500, 5_000));
      if (isOver()) return;
      await inflict(plan.next().value);
    }
  }

  async function inflict({ text, inflict: work }: Fault): Promise<void> {
    const period = { from: performance.now(), to: Number.POSITIVE_INFINITY };
    broken.push(period);
    try {
      await work();
      const kind = text.replace(/,.*| by .*/, "");
      faults.set(kind, (faults.get(kind) ?? 0) + 1);
      log(
        `${(period.from / 1_000).toFixed(1)} s: ${text}, repaired after ${(performance.now() - period.from).toFixed(0)} ms`,
      );
    } catch (error) {
      if (!(error instanceof NotReached)) throw error;
    }
    period.to = performance.now();
  }

  function wasBroken(from: number, to: number): boolean {
    return broken.some((period) => from <= period.to + graceMs && to >= period.from);
  }

  /** Waits until store and node agree, ends the sandbox, and judges all that was seen of it. */
  async function settle(subject: Subject): Promise<void> {
    const [api] = apis;
    if (api === undefined) return;
    // Some are killed in the middle of their traffic.
    const isCutShort = subject.sandboxId.charCodeAt(3) % 8 === 0;
    if (!isCutShort) {
      while (subject.inFlight > 0) await sleep(20);
      await agree(subject, api);
    }
    while (!(await killSubject(api, subject, ledger))) await sleep(200);
    while (subject.inFlight > 0) await sleep(20);
    while (!(await readMetadata(api, subject, ledger))) await sleep(200);
    ledger.subjects.delete(subject.sandboxId);
    await judge(subject);
  }

  async function agree(subject: Subject, api: ApiClient): Promise<void> {
    for (;;) {
      const asked = performance.now();
      const known = subject.operations.length;
      const final = (await readMetadata(api, subject, ledger)) ? subject.operations[known]?.what : undefined;
      await sleep(400);
      const held = subject.sightings.findLast(({ call }) => call > asked);
      if (final?.kind === "read" && final.outcome.kind === "found") {
        const { tags, revision } = final.outcome;
        if (held?.revision === revision && held.text === tags.text && held.hashFits) return;
      }
      if (isQuiet && performance.now() > quietSince + quietMs) {
        totals.diverged += 1;
        subject.complaints.push(
          `After quiet the store has ${JSON.stringify(final)} and the node ${JSON.stringify(held)}`,
        );
        return;
      }
    }
  }

  async function judge(subject: Subject): Promise<void> {
    const { sandboxId, created, operations, sightings, complaints } = subject;
    totals.sandboxes += 1;
    const modelOptions = { effectlessMayRaise: true };
    const history = { sandboxId, created, operations };
    const began = performance.now();
    const verdict = checkSandbox(history, modelOptions);
    totals.longestCheckMs = Math.max(totals.longestCheckMs, performance.now() - began);
    const final = operations.findLast(({ what }) => what.kind === "read" && what.outcome.kind === "found")?.what;
    const isFinal =
      final?.kind === "read" && final.outcome.kind === "found" && subject.sandboxId.charCodeAt(3) % 8 !== 0;
    const lost = isFinal && final.outcome.kind === "found" ? findLostEdits(operations, final.outcome.tags) : [];
    const wrong = [...complaints, ...checkNodeView(operations, sightings)];
    totals.lost += lost.length;
    if (verdict.linearizable === "undecided") totals.undecided += 1;
    if (verdict.linearizable === false || wrong.length > 0) totals.illegal += 1;
    if (verdict.linearizable === true && wrong.length === 0 && lost.length === 0) return;

    const path = join(options.reports, `${store}-${seed}-${sandboxId}.txt`);
    await mkdir(options.reports, { recursive: true });
    const replay = `npm run robustness -- --store ${store} --seconds ${seconds} --seed ${seed}${real ? " --real" : ""}`;
    await writeFile(
      path,
      [
        `Again: ${replay}`,
        "",
        ...wrong.slice(0, 50),
        ...lost.map(({ index, key, expected, found }) => `Lost: #${index} ${key}=${expected}, found ${found}`),
        describeFailure(history, verdict, modelOptions),
      ].join("\n"),
    );
    reports.push(path);
    log(`A history that must not be: ${path}`);
  }
}

async function nodesAreKnown(apis: readonly ApiClient[], withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  for (const api of apis) {
    for (;;) {
      const reply = await api.send("GET", "/nodes");
      if (reply.kind === "answered" && Array.isArray(reply.body) && reply.body.length === 2) break;
      if (performance.now() > until) throw new Error(`The nodes are not known: ${JSON.stringify(reply)}`);
      await sleep(200);
    }
  }
}
