import { type Budget, noFaults } from "./cluster-state.ts";
import type { Task } from "./process-part.ts";

export const nodeIds: readonly string[] = ["n1", "n2"];
/** In the microseconds of the model's clock. */
export const firstTime = 1_000_000;

/** Something that is asked of the API once, at any moment. */
export interface Planned {
  readonly slot: string;
  readonly task: Task;
  /** The process that is asked; default the first. */
  readonly api?: 0 | 1;
  /** Not before this one was answered. */
  readonly after?: string;
  /** The edit holds for the revision that is current when it begins. */
  readonly ifMatchesNow?: boolean;
}

/** What may happen in one search. */
export interface Configuration {
  readonly name: string;
  /** For people: what is looked for. */
  readonly about: string;
  readonly tasks: readonly Planned[];
  readonly budget: Budget;
  /** Searched with every test run, and not only on request. */
  readonly short?: boolean;
}

export function edit(
  slot: string,
  body: Readonly<Record<string, string | null>>,
  options: Omit<Planned, "slot" | "task"> = {},
): Planned {
  return { slot, task: { kind: "patch", slot, body }, ...options };
}

/** Another execution, the generation above, on a node; the older one may live on. */
export function restart(
  slot: string,
  node: 0 | 1,
  endsOlder: boolean,
  options: Omit<Planned, "slot" | "task"> = {},
): Planned {
  const task = { kind: "restart", slot, executionId: `e${slot}`, nodeId: nodeIds[node] ?? "", endsOlder } as const;
  return { slot, task, ...options };
}

export function kill(options: Partial<Planned> & { readonly nodesForgotten?: boolean } = {}): Planned {
  const { nodesForgotten = false, ...planned } = options;
  return { slot: "kill", task: { kind: "kill", slot: "kill", nodesForgotten }, ...planned };
}

const oneEdit = edit("w1", { a: "1" });
const twoEdits = [oneEdit, edit("w2", { a: "2", b: "2" }, { api: 1 })];

export const configurations: readonly Configuration[] = [
  {
    name: "writers",
    about: "two edits at once over two API processes, while a node is reconciled",
    tasks: twoEdits,
    budget: { ...noFaults, reconciles: 1 },
    short: true,
  },
  {
    name: "channel",
    about: "pushes that are delivered twice, late or never, and pushed again",
    tasks: twoEdits,
    budget: { ...noFaults, silences: 1, duplicates: 1, losses: 1, repushes: 1 },
  },
  {
    name: "late pushes",
    about: "pushes that arrive twice and in any order",
    tasks: twoEdits,
    budget: { ...noFaults, duplicates: 1 },
    short: true,
  },
  {
    name: "resends",
    about: "commands that reach the store twice, and answers of it that are lost",
    tasks: twoEdits,
    budget: { ...noFaults, lateCommands: 2, lostAnswers: 1 },
    short: true,
  },
  {
    name: "if-match",
    about: "two edits that hold for the revision that each has read",
    tasks: [{ ...oneEdit, ifMatchesNow: true }, edit("w2", { a: "2" }, { api: 1, ifMatchesNow: true })],
    budget: { ...noFaults, lateCommands: 1 },
    short: true,
  },
  {
    name: "crashes",
    about: "nodes and API processes killed between any two steps",
    tasks: twoEdits,
    budget: { ...noFaults, nodeRestarts: 1, apiCrashes: 1, silences: 1 },
    short: true,
  },
  {
    name: "resume elsewhere",
    about: "a second execution on another node while the older one still lives",
    tasks: [oneEdit, restart("2", 1, false)],
    budget: { ...noFaults, reconciles: 1 },
  },
  {
    name: "resume here",
    about: "a second execution on the node of the first, and the first one's end delivered twice",
    tasks: [oneEdit, restart("2", 0, true)],
    budget: { ...noFaults, reconciles: 1, duplicates: 1 },
  },
  {
    name: "unknown start",
    about: "a start whose outcome nobody learns, and a kill",
    tasks: [restart("2", 1, true), kill()],
    budget: { ...noFaults, silences: 2 },
    short: true,
  },
  {
    name: "kill",
    about: "a kill during edits, and one of a sandbox whose node was forgotten",
    tasks: [oneEdit, kill({ nodesForgotten: true })],
    budget: { ...noFaults, reconciles: 1 },
    short: true,
  },
  {
    name: "rollback",
    about: "the store loses its tail during an edit, and every record is verified anew",
    tasks: [oneEdit],
    budget: { ...noFaults, rollbacks: 1, duplicates: 1, lateCommands: 1 },
    short: true,
  },
  {
    name: "rollback of two edits",
    about: "the store loses its tail after an edit, before or during another one; pushes arrive at any time",
    tasks: [oneEdit, edit("w2", { b: "2" }, { api: 1, after: "w1" })],
    budget: { ...noFaults, rollbacks: 1 },
    short: true,
  },
  {
    name: "wipe",
    about: "the store is emptied during an edit, and refilled from what nodes hold",
    tasks: [oneEdit],
    budget: { ...noFaults, wipes: 1, duplicates: 1, nodeRestarts: 1 },
    short: true,
  },
  {
    name: "wipe and clock",
    about: "the store is emptied, and its clock has gone back behind what nodes know",
    tasks: [oneEdit],
    budget: { ...noFaults, wipes: 1, clockBacks: 1, registrations: 1 },
    short: true,
  },
];

export function configurationNamed(name: string): Configuration {
  const found = configurations.find((configuration) => configuration.name === name);
  if (found === undefined)
    throw new Error(
      `there is no configuration "${name}"; there are ${configurations.map((one) => one.name).join(", ")}`,
    );
  return found;
}
