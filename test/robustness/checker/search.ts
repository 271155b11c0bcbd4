/** Something that a client did, from the moment at which it asked to the one at which it was answered. */
export interface Operation<What> {
  /** On one monotonic clock, in any unit. */
  readonly call: number;
  /** Infinity: there was no answer. It may have happened at any time since, or not at all. */
  readonly return: number;
  readonly what: What;
}

/** What a sequence of operations must look like, one after the other. */
export interface Model<State, What> {
  readonly initial: State;
  /** The state after it; `undefined` when it cannot have had its outcome in this state. */
  step(state: State, what: What): State | undefined;
  /** Equal for states that no later operation can tell apart. */
  fingerprint(state: State): string;
  /** A number that never falls along an order, where the outcome tells one. It saves the search most of its choices. */
  rank?(what: What): number | undefined;
  /**
   * Whether the unanswered operation, taken in this state, can have to do with the outcome of the answered one that is to
   * follow; the search does not take it otherwise.
   */
  mayExplain?(state: State, unanswered: What, next: What): boolean;
}

export type Verdict =
  | { readonly linearizable: true; readonly steps: number }
  /** `longest`: indexes of the most operations that have an order; `stuck`: the first to return that fits nowhere then. */
  | {
      readonly linearizable: false;
      readonly steps: number;
      readonly longest: readonly number[];
      readonly stuck: number;
    }
  | { readonly linearizable: "undecided"; readonly steps: number };

interface Entry {
  readonly index: number;
  readonly isCall: boolean;
  previous: Entry | undefined;
  next: Entry | undefined;
}

/** Where the search goes on when a choice turns out wrong: the next call, or the next operation without an answer. */
interface Choice<State> {
  readonly index: number;
  readonly before: State;
  readonly call: Entry | undefined;
  readonly unanswered: number;
}

/**
 * Whether some order of the operations, in which none comes before one that had returned before it was called, explains
 * every outcome. The search of Wing and Gong with the cache of Lowe, as Porcupine does it: a set of operations that has
 * led to a state once is not tried again. What was never answered is tried last, and need not have happened.
 * @param maxSteps after as many tried steps the answer is `undecided`
 */
export function checkLinearizability<State, What>(
  model: Model<State, What>,
  operations: readonly Operation<What>[],
  maxSteps = 5_000_000,
): Verdict {
  const { head, returns } = linkEntries(operations);
  const unanswered = operations.flatMap(({ return: end }, index) => (end === Number.POSITIVE_INFINITY ? [index] : []));

  const ranks = operations.map(({ what }) => model.rank?.(what));
  const ranked = operations.flatMap((_, index) => (ranks[index] === undefined ? [] : [index]));
  ranked.sort((a, b) => (ranks[a] ?? 0) - (ranks[b] ?? 0));
  const places = new Map(ranked.map((index, place) => [index, place]));
  /** Where in `ranked` the first one stands that has no place in the order yet. */
  let lowest = 0;

  const done = new DoneSet(operations.length);
  const cache = new Set<string>();
  const stack: Choice<State>[] = [];
  let left = operations.length - unanswered.length;
  let state = model.initial;
  let longest: number[] = [];
  let stuck = -1;
  let steps = 0;
  let entry = head.next;
  let nextUnanswered = 0;

  /** Takes the operation as the next in the order, unless that is impossible or known to lead nowhere. */
  const take = (index: number, call: Entry | undefined): boolean => {
    steps += 1;
    const operation = operations[index];
    const after = operation === undefined ? undefined : model.step(state, operation.what);
    if (after === undefined) return false;
    done.flip(index);
    const key = `${done.text()}${model.fingerprint(after)}`;
    if (cache.has(key)) {
      done.flip(index);
      return false;
    }
    cache.add(key);
    stack.push({ index, before: state, call, unanswered: nextUnanswered });
    state = after;
    if (call) {
      left -= 1;
      lift(call, returns[index]);
      while (lowest < ranked.length && done.has(ranked[lowest] ?? 0)) lowest += 1;
    }
    entry = head.next;
    nextUnanswered = 0;
    return true;
  };
  const isInTurn = (index: number) =>
    (ranks[index] ?? 0) <= (ranks[ranked[lowest] ?? index] ?? Number.POSITIVE_INFINITY);
  const mayExplain = (index: number): boolean => {
    if (model.mayExplain === undefined) return true;
    const what = operations[index]?.what;
    for (let next = head.next; next?.isCall; next = next.next) {
      const following = operations[next.index]?.what;
      if (what === undefined || following === undefined || !isInTurn(next.index)) continue;
      if (model.mayExplain(state, what, following)) return true;
    }
    return false;
  };

  while (left > 0) {
    if (steps > maxSteps) return { linearizable: "undecided", steps };
    if (entry?.isCall) {
      if (!isInTurn(entry.index) || !take(entry.index, entry)) entry = entry.next;
      continue;
    }
    // No call before this return fits: what was called by then and never answered may have come in between.
    const limit = entry === undefined ? Number.POSITIVE_INFINITY : (operations[entry.index]?.return ?? 0);
    let taken = false;
    while (!taken && nextUnanswered < unanswered.length) {
      const index = unanswered[nextUnanswered] ?? 0;
      nextUnanswered += 1;
      const isOpen = !done.has(index) && (operations[index]?.call ?? 0) <= limit;
      taken = isOpen && mayExplain(index) && take(index, undefined);
    }
    if (taken) continue;

    const order = stack.map(({ index }) => index);
    if (entry !== undefined && (stuck < 0 || order.length > longest.length)) {
      longest = order;
      stuck = entry.index;
    }
    const last = stack.pop();
    if (last === undefined) return { linearizable: false, steps, longest, stuck };
    done.flip(last.index);
    state = last.before;
    if (last.call) {
      left += 1;
      restore(last.call, returns[last.index]);
      lowest = Math.min(lowest, places.get(last.index) ?? lowest);
      entry = last.call.next;
      nextUnanswered = 0;
    } else {
      entry = firstReturn(head);
      nextUnanswered = last.unanswered;
    }
  }
  return { linearizable: true, steps };
}

/** Calls and returns in the order of time, behind a head; of two at one time the call comes first. */
function linkEntries(operations: readonly Operation<unknown>[]): {
  readonly head: Entry;
  /** The return of each operation that has one. */
  readonly returns: readonly (Entry | undefined)[];
} {
  const events = operations.flatMap(({ call, return: end }, index) =>
    end === Number.POSITIVE_INFINITY
      ? []
      : [
          { index, isCall: true, at: call },
          { index, isCall: false, at: end },
        ],
  );
  events.sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall));
  const head: Entry = { index: -1, isCall: true, previous: undefined, next: undefined };
  const ends: (Entry | undefined)[] = [];
  let last = head;
  for (const { index, isCall } of events) {
    const entry: Entry = { index, isCall, previous: last, next: undefined };
    if (!isCall) ends[index] = entry;
    last.next = entry;
    last = entry;
  }
  return { head, returns: ends };
}

function lift(...entries: readonly (Entry | undefined)[]): void {
  for (const entry of entries) {
    if (entry?.previous) entry.previous.next = entry.next;
    if (entry?.next) entry.next.previous = entry.previous;
  }
}

/** Undoes `lift` of the same call and return. */
function restore(call: Entry, end: Entry | undefined): void {
  for (const entry of [end, call]) {
    if (entry?.previous) entry.previous.next = entry;
    if (entry?.next) entry.next.previous = entry;
  }
}

function firstReturn(head: Entry): Entry | undefined {
  let entry = head.next;
  while (entry?.isCall) entry = entry.next;
  return entry;
}

/** Which operations have their place in the order. */
class DoneSet {
  readonly #words: Uint16Array;

  constructor(size: number) {
    this.#words = new Uint16Array(Math.ceil(size / 16));
  }

  has(index: number): boolean {
    return ((this.#words[index >> 4] ?? 0) & (1 << (index & 15))) !== 0;
  }

  flip(index: number): void {
    this.#words[index >> 4] = (this.#words[index >> 4] ?? 0) ^ (1 << (index & 15));
  }

  /** The same text for the same set, and always as long. */
  text(): string {
    return String.fromCharCode(...this.#words);
  }
}
