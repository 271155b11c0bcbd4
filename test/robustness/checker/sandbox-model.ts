import type { Model, Operation } from "./search.ts";

/** A sandbox's tags, and their one way of being written, by which they are compared. */
export interface Tags {
  readonly entries: ReadonlyMap<string, string>;
  readonly text: string;
}

export interface Answered {
  readonly tags: Tags;
  readonly revision: number;
  /** What the node was said to hold. */
  readonly applied: number;
}

export interface Edit {
  readonly kind: "edit";
  /** As it was sent: `null` and `""` both remove. */
  readonly delta: Readonly<Record<string, string | null>>;
  readonly ifMatch?: number;
  readonly idempotencyKey?: string;
  readonly outcome:
    | ({ readonly kind: "committed"; readonly status: 200 | 202 } & Answered)
    /** Any other answer below 500: it must have had no effect, and never have one. */
    | { readonly kind: "refused"; readonly status: number }
    /** No answer, or one of 500 or above. */
    | { readonly kind: "unknown" };
}

export interface Read {
  readonly kind: "read";
  readonly outcome: ({ readonly kind: "found" } & Answered) | { readonly kind: "absent" };
}

export interface Kill {
  readonly kind: "kill";
  readonly outcome: { readonly kind: "done" } | { readonly kind: "absent" } | { readonly kind: "unknown" };
}

export type SandboxAction = Edit | Read | Kill;
export type SandboxOperation = Operation<SandboxAction>;

/** One sandbox's metadata as its users see it. */
export interface SandboxState {
  readonly tags: Tags;
  /** The revision, or a bound below it while nobody has been told. */
  readonly revision: number;
  readonly isExact: boolean;
  readonly isKilled: boolean;
  readonly keys: ReadonlyMap<string, Remembered>;
}

/** What an `Idempotency-Key` stands for. */
interface Remembered {
  readonly content: string;
  readonly tags: Tags;
  readonly revision: number;
  readonly isExact: boolean;
}

export interface ModelOptions {
  /**
   * An edit without effect keeps the revision. After a restart of the store it may get one, so that a node's own word
   * cannot overtake it: `true` then. Default `false`.
   */
  readonly effectlessMayRaise?: boolean;
}

export function tagsOf(entries: Iterable<readonly [string, string]>): Tags {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return { entries: new Map(sorted), text: JSON.stringify(sorted) };
}

/** The sandbox as it was created; its first revision is not told by the create. */
export function sandboxModel(created: Tags, options: ModelOptions = {}): Model<SandboxState, SandboxAction> {
  const mayRaise = options.effectlessMayRaise ?? false;
  const stepOf = (state: SandboxState, action: SandboxAction): SandboxState | undefined => {
    switch (action.kind) {
      case "edit":
        return stepEdit(state, action, mayRaise);
      case "read":
        return stepRead(state, action);
      case "kill":
        return action.outcome.kind === "absent" && !state.isKilled ? undefined : { ...state, isKilled: true };
    }
  };
  return {
    initial: { tags: created, revision: 0, isExact: false, isKilled: false, keys: new Map() },
    step: stepOf,
    fingerprint({ tags, revision, isExact, isKilled, keys }) {
      const remembered = [...keys].map(([key, value]) => `${key}${value.isExact}${value.revision}${value.tags.text}`);
      return `${isKilled}${isExact}${revision}${tags.text}${remembered.sort().join()}`;
    },
    rank(action) {
      if (action.kind === "kill" || (action.kind === "edit" && action.idempotencyKey !== undefined)) return undefined;
      const { outcome } = action;
      return outcome.kind === "committed" || outcome.kind === "found" ? outcome.revision : undefined;
    },
    mayExplain(state, unanswered, next) {
      return stepOf(state, next) === undefined && bringsNearer(state, unanswered, next);
    },
  };
}

/**
 * Whether an operation that nobody was told of can be needed before `next`, whose outcome does not fit the state: it sets
 * a key to what `next` shows, or all that does not fit is the revision. One whose every key is overwritten before anyone
 * saw it may as well not have happened.
 */
function bringsNearer(state: SandboxState, unanswered: SandboxAction, next: SandboxAction): boolean {
  if (next.kind === "kill") return unanswered.kind === "kill";
  const { outcome } = next;
  if (outcome.kind !== "committed" && outcome.kind !== "found") return true;
  if (next.kind === "edit" && next.idempotencyKey !== undefined) return true;
  if (unanswered.kind !== "edit" || state.isKilled) return false;
  const present = state.tags.entries;
  const shown = outcome.tags.entries;
  const own = next.kind === "edit" ? next.delta : {};
  for (const key of Object.keys(unanswered.delta)) {
    const wanted = shown.get(key);
    if (Object.hasOwn(own, key) || present.get(key) === wanted) continue;
    if ((unanswered.delta[key] || undefined) === wanted) return true;
  }
  const differs = (key: string) => !Object.hasOwn(own, key) && present.get(key) !== shown.get(key);
  return ![...present.keys(), ...shown.keys()].some(differs);
}

function stepRead(state: SandboxState, { outcome }: Read): SandboxState | undefined {
  if (outcome.kind === "absent") return state.isKilled ? state : undefined;
  if (state.isKilled || outcome.tags.text !== state.tags.text) return undefined;
  return atRevision(state, outcome.revision);
}

function stepEdit(state: SandboxState, edit: Edit, mayRaise: boolean): SandboxState | undefined {
  const { outcome } = edit;
  if (outcome.kind === "refused") return stepRefused(state, edit, outcome.status);
  const key = edit.idempotencyKey;
  const known = key === undefined ? undefined : state.keys.get(key);
  if (key !== undefined && known !== undefined) return stepReplay(state, edit, key, known);
  if (state.isKilled || !mayMatch(state, edit.ifMatch)) return undefined;

  const before = edit.ifMatch === undefined ? state : atRevision(state, edit.ifMatch);
  if (before === undefined) return undefined;
  const merged = merge(state.tags.entries, edit.delta);
  const after = outcome.kind === "unknown" ? guess(before, merged) : confirm(before, merged, outcome, mayRaise);
  if (after === undefined || key === undefined) {
    // What had no effect and is not remembered need not have happened.
    return outcome.kind === "unknown" && after === before ? undefined : after;
  }
  const remembered = { content: contentOf(edit), tags: after.tags, revision: after.revision, isExact: after.isExact };
  return { ...after, keys: new Map(state.keys).set(key, remembered) };
}

/** The edit took effect in this step, and was answered with what it made. */
function confirm(
  before: SandboxState,
  merged: ReadonlyMap<string, string> | undefined,
  { tags, revision }: Answered,
  mayRaise: boolean,
): SandboxState | undefined {
  if (merged === undefined) {
    if (tags.text !== before.tags.text) return undefined;
    const kept = atRevision(before, revision);
    if (kept !== undefined || !mayRaise) return kept;
    return revision > before.revision ? { ...before, revision, isExact: true } : undefined;
  }
  if (revision <= before.revision || !sameEntries(merged, tags.entries)) return undefined;
  return { ...before, tags, revision, isExact: true };
}

/** The edit took effect in this step, and nobody was told. */
function guess(before: SandboxState, merged: ReadonlyMap<string, string> | undefined): SandboxState {
  if (merged === undefined) return before;
  const revision = before.revision + 1;
  return { ...before, tags: tagsOf(merged), revision: before.isExact ? before.revision : revision, isExact: false };
}

function stepReplay(state: SandboxState, edit: Edit, key: string, known: Remembered): SandboxState | undefined {
  if (contentOf(edit) !== known.content) return undefined;
  // A second delivery that nobody was told of changes nothing.
  if (edit.outcome.kind !== "committed") return undefined;
  const { tags, revision } = edit.outcome;
  if (tags.text !== known.tags.text) return undefined;
  if (known.isExact ? revision !== known.revision : revision <= known.revision) return undefined;
  if (known.isExact) return state;
  if (state.isExact && revision > state.revision) return undefined;
  const learned = new Map(state.keys).set(key, { ...known, revision, isExact: true });
  // Nothing has changed since it took effect: it is the present revision that was told.
  const isPresent = !state.isExact && state.revision === known.revision && state.tags.text === known.tags.text;
  return { ...state, ...(isPresent ? { revision, isExact: true } : {}), keys: learned };
}

function stepRefused(state: SandboxState, edit: Edit, status: number): SandboxState | undefined {
  switch (status) {
    case 404:
    case 409:
      return state.isKilled ? state : undefined;
    case 412:
      // It would have had to succeed.
      return state.isKilled || (state.isExact && edit.ifMatch === state.revision) ? undefined : state;
    case 422: {
      const known = state.keys.get(edit.idempotencyKey ?? "");
      return known !== undefined && known.content !== contentOf(edit) ? state : undefined;
    }
    default:
      return state;
  }
}

/** Revisions that nobody was told of lie above their bound. */
function mayMatch({ isExact, revision }: SandboxState, ifMatch: number | undefined): boolean {
  return ifMatch === undefined || (isExact ? ifMatch === revision : ifMatch > revision);
}

/** The state once it is known that this is its revision; `undefined` when it cannot be. */
function atRevision(state: SandboxState, revision: number): SandboxState | undefined {
  if (state.isExact) return revision === state.revision ? state : undefined;
  return revision > state.revision ? { ...state, revision, isExact: true } : undefined;
}

/** `undefined` when nothing changes. Its own words on purpose: it judges the ones of the service. */
function merge(
  entries: ReadonlyMap<string, string>,
  delta: Readonly<Record<string, string | null>>,
): ReadonlyMap<string, string> | undefined {
  let merged: Map<string, string> | undefined;
  for (const key of Object.keys(delta)) {
    const value = delta[key] ?? "";
    const isThere = entries.has(key);
    if (value === "" ? !isThere : entries.get(key) === value) continue;
    merged ??= new Map(entries);
    if (value === "") merged.delete(key);
    else merged.set(key, value);
  }
  return merged;
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

function contentOf({ delta, ifMatch }: Edit): string {
  return `${ifMatch ?? "*"} ${JSON.stringify(Object.entries(delta).sort())}`;
}
