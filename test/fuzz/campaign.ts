import { type Dice, diceOf } from "./dice.ts";
import type { Complaint } from "./judge.ts";
import { growth, type Held } from "./memory.ts";
import type { Subject } from "./subject.ts";

/** One malformed thing to do, made from dice alone, apart from the names of what runs. */
export interface FuzzCase {
  /** What is wrong with it, in few words. */
  readonly name: string;
  /** What goes out, for whoever looks into a finding. */
  readonly shown: string;
  /** How many requests it sends. */
  readonly requests: number;
  run(): Promise<readonly Complaint[]>;
}

export interface Campaign {
  readonly name: string;
  make(dice: Dice, subject: Subject): FuzzCase;
}

export interface Extent {
  readonly seed: number;
  /** Index of the first case. Default 0. */
  readonly from?: number;
  /** Ends after as many cases, or after `seconds`, whichever comes first. */
  readonly count?: number;
  readonly seconds?: number;
  /** Ends it early. */
  readonly isInterrupted?: () => boolean;
}

/** Complaints of one kind, with the first case that led to it. */
export interface Finding {
  readonly kind: string;
  readonly detail: string;
  /** Of the case. Running this one alone, with the same seed, does the same again. */
  readonly index: number;
  readonly name: string;
  readonly shown: string;
  count: number;
}

export interface Report {
  readonly campaign: string;
  readonly seed: number;
  readonly cases: number;
  readonly requests: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  readonly held: readonly { readonly name: string; readonly before: Held; readonly after: Held }[];
}

/** Cases that are under way at once. */
const parallel = 8;
/** Cases after which sandboxes that a case has ended are made anew, and ordinary requests must still be answered. */
const round = 200;
/** Cases before memory is looked at for the first time, so that caches and compiled code are there. */
const warmUp = 400;

export async function runCampaign(campaign: Campaign, subject: Subject, extent: Extent): Promise<Report> {
  const {
    seed,
    from = 0,
    isInterrupted = () => false,
    count = Number.POSITIVE_INFINITY,
    seconds = Number.POSITIVE_INFINITY,
  } = extent;
  const started = performance.now();
  const findings = new Map<string, Finding>();
  let requests = 0;
  let index = from;
  const isOver = () => isInterrupted() || index >= from + count || performance.now() - started > seconds * 1000;

  const note = (complaint: Complaint, at: { index: number; name: string; shown: string }) => {
    const known = findings.get(complaint.kind);
    if (known) known.count += 1;
    else findings.set(complaint.kind, { ...complaint, ...at, count: 1 });
  };
  const worker = async (until: number) => {
    while (index < until && !isOver()) {
      const own = index;
      index += 1;
      const one = campaign.make(diceOf(seed, own), subject);
      requests += one.requests;
      for (const complaint of await one.run()) note(complaint, { index: own, name: one.name, shown: one.shown });
    }
  };
  const playRound = async (cases: number) => {
    const until = index + cases;
    await Promise.all(Array.from({ length: parallel }, () => worker(until)));
    const at = { index: index - 1, name: "the round before", shown: `cases ${until - cases} to ${index - 1}` };
    await subject.refresh().catch((error: unknown) => {
      note({ kind: "an ordinary request is not answered rightly", detail: String(error) }, at);
    });
    for (const fault of subject.faults()) note({ kind: "a fault in the log", detail: fault.slice(0, 2000) }, at);
  };

  for (let played = 0; played < warmUp && !isOver(); played += round) await playRound(round);
  const before = await subject.held();
  while (!isOver()) await playRound(round);
  // Connections that were dropped, and their timers, are over a moment later.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const after = await subject.held();

  const held: { name: string; before: Held; after: Held }[] = [];
  for (const [name, first] of before) {
    const last = after.get(name);
    if (last === undefined) continue;
    held.push({ name, before: first, after: last });
    const grown = growth(name, first, last);
    if (grown) note({ kind: `memory of ${name}`, detail: grown }, { index: index - 1, name: "all", shown: "all" });
  }
  return {
    campaign: campaign.name,
    seed,
    cases: index - from,
    requests,
    seconds: (performance.now() - started) / 1000,
    findings: [...findings.values()],
    held,
  };
}
