/** What can happen in one state. */
export interface Step<S> {
  readonly label: string;
  readonly state: S;
  /** What the step itself did wrong. */
  readonly violation?: string | undefined;
}

export interface Model<S> {
  initial(): Promise<S>;
  /** Equal for states from which the same can happen. */
  key(state: S): string;
  steps(state: S): Promise<readonly Step<S>[]>;
  /** What is wrong with a state, or would be once everything has come to rest from there on. */
  check(state: S): Promise<string | undefined>;
  describe(state: S): Promise<string>;
}

export interface SearchOptions {
  /** Gives up above this; default 2,000,000. */
  readonly maxStates?: number;
  readonly onProgress?: (states: number, depth: number) => void;
}

export interface SearchReport {
  readonly states: number;
  readonly transitions: number;
  /** Steps of the longest of all shortest ways to a state. */
  readonly depth: number;
  readonly seconds: number;
  /** Whether every state within the bounds was seen. */
  readonly complete: boolean;
  readonly counterexample?: Counterexample;
}

export interface Counterexample {
  readonly violation: string;
  /** The shortest way there: what happened, and what was there after it. */
  readonly trace: readonly { readonly label: string; readonly state: string }[];
}

interface Visited<S> {
  readonly state: S;
  readonly parent: number;
  readonly label: string;
}

/** Looks at every state that can be reached, the nearest first, and stops at the first that is wrong. */
export async function search<S>(model: Model<S>, options: SearchOptions = {}): Promise<SearchReport> {
  const began = performance.now();
  const { maxStates = 2_000_000, onProgress } = options;
  const first = await model.initial();
  const visited: Visited<S>[] = [{ state: first, parent: -1, label: "at first" }];
  const seen = new Set([model.key(first)]);
  let transitions = 0;
  let depth = 0;
  let levelEnds = 1;

  const report = (complete: boolean, counterexample?: Counterexample): SearchReport => ({
    states: visited.length,
    transitions,
    depth,
    seconds: (performance.now() - began) / 1000,
    complete,
    ...(counterexample === undefined ? {} : { counterexample }),
  });

  const wrongAtFirst = await model.check(first);
  if (wrongAtFirst !== undefined) return report(false, await explain(model, visited, 0, wrongAtFirst));
  for (let index = 0; index < visited.length; index += 1) {
    if (index === levelEnds) {
      depth += 1;
      levelEnds = visited.length;
      onProgress?.(visited.length, depth);
    }
    const here = visited[index];
    if (here === undefined) break;
    for (const { label, state, violation } of await model.steps(here.state)) {
      transitions += 1;
      const key = model.key(state);
      const known = seen.has(key);
      if (known && violation === undefined) continue;
      const at = visited.push({ state, parent: index, label }) - 1;
      seen.add(key);
      const wrong = violation ?? (await model.check(state));
      if (wrong !== undefined) return report(false, await explain(model, visited, at, wrong));
      if (visited.length >= maxStates) return report(false);
    }
  }
  return report(true);
}

async function explain<S>(
  model: Model<S>,
  visited: readonly Visited<S>[],
  last: number,
  violation: string,
): Promise<Counterexample> {
  const trace: { label: string; state: string }[] = [];
  for (let index = last; index >= 0; ) {
    const step = visited[index];
    if (step === undefined) break;
    trace.unshift({ label: step.label, state: await model.describe(step.state) });
    index = step.parent;
  }
  return { violation, trace };
}
