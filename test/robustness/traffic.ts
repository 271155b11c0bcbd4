import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient, Reply } from "./api-client.ts";
import { type Answered, tagsOf } from "./checker/sandbox-model.ts";
import type { Dice } from "./dice.ts";
import { Subject } from "./subject.ts";

/** What a campaign counts and keeps while traffic goes on. */
export interface Ledger {
  acked: number;
  unknown: number;
  accepted: number;
  /** Of any request, with the moment of its call. */
  readonly serverErrors: {
    readonly call: number;
    readonly return: number;
    readonly status: number;
    readonly what: string;
  }[];
  readonly subjects: Map<string, Subject>;
}

/** What one client plans next; made from its dice alone. */
interface Plan {
  readonly kind: "edit" | "read" | "timeout";
  readonly delta: Readonly<Record<string, string | null>>;
  readonly usesIfMatch: boolean;
  readonly key: string | undefined;
}

const maxOperations = 460;
/** Clients that are under way when it is reached may add some more. */
const maxUnknown = 6;
const oddKeys: readonly [string, ...string[]] = ["__proto__", "constructor", "0", "1e3", "\u{1f600}", 'a"\\b\n'];

/** The sandbox that some clients share at a time; another one once its history is long enough to be judged. */
export class Slot {
  readonly #ledger: Ledger;
  readonly #onRetired: (subject: Subject) => void;
  #current: Subject | undefined;
  #making: Promise<Subject | undefined> | undefined;
  #count = 0;
  readonly #name: string;

  constructor(name: string, ledger: Ledger, onRetired: (subject: Subject) => void) {
    this.#name = name;
    this.#ledger = ledger;
    this.#onRetired = onRetired;
  }

  /** `undefined`: there could be none made just now. */
  async take(api: ApiClient): Promise<Subject | undefined> {
    const current = this.#current;
    if (current && current.operations.length + current.inFlight < maxOperations && current.unknown < maxUnknown) {
      return current;
    }
    this.retire();
    this.#making ??= this.#make(api).finally(() => {
      this.#making = undefined;
    });
    return await this.#making;
  }

  retire(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    current.isRetired = true;
    this.#onRetired(current);
  }

  async #make(api: ApiClient): Promise<Subject | undefined> {
    this.#count += 1;
    const metadata = { slot: this.#name, count: String(this.#count) };
    const call = performance.now();
    const body = JSON.stringify({ templateID: "base", timeout: 7_200, metadata });
    const reply = await api.send("POST", "/v2/sandboxes", { body, withinMs: 60_000 });
    noteErrors(this.#ledger, call, reply, "create");
    if (reply.kind !== "answered" || reply.status !== 201) {
      await sleep(200);
      return undefined;
    }
    const id = fieldOf(reply.body, "sandboxID");
    if (typeof id !== "string") throw new Error("A create without an id");
    this.#current = new Subject(id, tagsOf(Object.entries(metadata)), performance.now());
    this.#ledger.subjects.set(id, this.#current);
    return this.#current;
  }
}

/** One client: it does one thing after the other until it is told that it is over. */
export async function runClient(
  name: string,
  dice: Dice,
  apis: readonly ApiClient[],
  slot: Slot,
  ledger: Ledger,
  isOver: () => boolean,
): Promise<void> {
  for (let count = 0; !isOver(); count += 1) {
    const plan = planNext(name, count, dice);
    const api = apis[dice.below(apis.length)];
    const subject = api && (await slot.take(api));
    if (api === undefined || subject === undefined || isOver()) continue;
    subject.inFlight += 1;
    try {
      const isClear = await perform(plan, api, subject, ledger);
      // Not to pile up what nobody knows: it goes on once somebody answers.
      for (let tries = 0; !isClear && tries < 100 && !isOver(); tries += 1) {
        await sleep(100);
        if (await perform({ ...plan, kind: "read" }, api, subject, ledger)) break;
      }
    } finally {
      subject.inFlight -= 1;
    }
  }
}

function planNext(name: string, count: number, dice: Dice): Plan {
  const value = `${name}.${count}`;
  const own = `${name}-${dice.below(2)}`;
  const shared = `shared-${dice.below(4)}`;
  const none = { usesIfMatch: false, key: undefined };
  const roll = dice.below(100);
  if (roll < 10) return { kind: "read", delta: {}, ...none };
  if (roll < 12) return { kind: "timeout", delta: {}, ...none };
  if (roll < 40) return { kind: "edit", delta: { [own]: value }, ...none };
  if (roll < 60) return { kind: "edit", delta: { [shared]: value }, ...none };
  if (roll < 66) return { kind: "edit", delta: { [own]: value, [shared]: value }, ...none };
  if (roll < 72) return { kind: "edit", delta: { [dice.oneIn(2) ? own : shared]: dice.oneIn(2) ? null : "" }, ...none };
  // Without effect most times.
  if (roll < 78) return { kind: "edit", delta: { same: String(dice.below(2)) }, ...none };
  if (roll < 82)
    return { kind: "edit", delta: Object.fromEntries([[dice.pick(["", ...oddKeys]) || shared, value]]), ...none };
  if (roll < 90) return { kind: "edit", delta: { [shared]: value }, usesIfMatch: true, key: undefined };
  return { kind: "edit", delta: { [shared]: value, [own]: value }, usesIfMatch: false, key: `key-${value}` };
}

/** Whether it is clear what came of it. */
async function perform(plan: Plan, api: ApiClient, subject: Subject, ledger: Ledger): Promise<boolean> {
  const path = `/sandboxes/${subject.sandboxId}`;
  const call = performance.now();
  if (plan.kind === "timeout") {
    const reply = await api.send("POST", `${path}/timeout`, { body: '{"timeout":7200}' });
    noteErrors(ledger, call, reply, "timeout");
    return reply.kind === "answered" && reply.status < 500;
  }
  if (plan.kind === "read") return await readMetadata(api, subject, ledger);

  const isClear = await edit(plan, api, subject, ledger);
  if (plan.key === undefined || (isClear && !plan.key.endsWith("7"))) return isClear;
  // What was not answered is asked for again under the same key, and now and then what was.
  await sleep(20);
  return await edit(plan, api, subject, ledger);
}

async function edit(
  { delta, usesIfMatch, key }: Plan,
  api: ApiClient,
  subject: Subject,
  ledger: Ledger,
): Promise<boolean> {
  const ifMatch = usesIfMatch && subject.revision > 0 ? subject.revision : undefined;
  const call = performance.now();
  const reply = await api.send("PATCH", `/sandboxes/${subject.sandboxId}/metadata`, {
    body: JSON.stringify(delta),
    headers: {
      ...(ifMatch === undefined ? {} : { "if-match": `"${ifMatch}"` }),
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
  });
  if (reply.kind === "unsent") return false;
  noteErrors(ledger, call, reply, "edit");
  const asked = {
    kind: "edit",
    delta,
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  } as const;
  if (reply.kind === "lost" || reply.status >= 500) {
    ledger.unknown += 1;
    subject.note(call, { ...asked, outcome: { kind: "unknown" } });
    return false;
  }
  const { status } = reply;
  if (status === 200 || status === 202) {
    ledger.acked += 1;
    if (status === 202) ledger.accepted += 1;
    subject.note(call, { ...asked, outcome: { kind: "committed", status, ...answered(reply.body) } });
  } else {
    subject.note(call, { ...asked, outcome: { kind: "refused", status } });
  }
  return true;
}

/** Whether it was answered. */
export async function readMetadata(api: ApiClient, subject: Subject, ledger: Ledger): Promise<boolean> {
  const call = performance.now();
  const reply = await api.send("GET", `/sandboxes/${subject.sandboxId}/metadata`);
  noteErrors(ledger, call, reply, "read");
  if (reply.kind !== "answered" || reply.status >= 500) return false;
  if (reply.status === 404) subject.note(call, { kind: "read", outcome: { kind: "absent" } });
  else subject.note(call, { kind: "read", outcome: { kind: "found", ...answered(reply.body) } });
  return true;
}

/** Whether it is gone for certain. */
export async function killSubject(api: ApiClient, subject: Subject, ledger: Ledger): Promise<boolean> {
  const call = performance.now();
  subject.killedAt = Math.min(subject.killedAt, call);
  const reply = await api.send("DELETE", `/sandboxes/${subject.sandboxId}`, { withinMs: 30_000 });
  if (reply.kind === "unsent") return false;
  noteErrors(ledger, call, reply, "kill");
  const isKnown = reply.kind === "answered" && (reply.status === 204 || reply.status === 404);
  const kind = !isKnown ? "unknown" : reply.status === 204 ? "done" : "absent";
  subject.note(call, { kind: "kill", outcome: { kind } });
  return isKnown;
}

function noteErrors(ledger: Ledger, call: number, reply: Reply, what: string): void {
  if (reply.kind === "answered" && reply.status >= 500) {
    ledger.serverErrors.push({ call, return: performance.now(), status: reply.status, what });
  }
}

function answered(body: unknown): Answered {
  const metadata = fieldOf(body, "metadata");
  const [revision, applied] = [fieldOf(body, "revision"), fieldOf(body, "appliedRevision")];
  if (
    typeof metadata !== "object" ||
    metadata === null ||
    typeof revision !== "number" ||
    typeof applied !== "number"
  ) {
    throw new Error(`Not an answer about metadata: ${JSON.stringify(body)}`);
  }
  const tags = tagsOf(Object.entries(metadata).map(([key, value]) => [key, String(value)]));
  return { tags, revision, applied };
}

function fieldOf(body: unknown, name: string): unknown {
  if (typeof body !== "object" || body === null) return undefined;
  return Object.entries(body).find(([key]) => key === name)?.[1];
}
