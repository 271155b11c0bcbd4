import type { Confirmation } from "@castellan/store";
import type { Answer } from "./answer.ts";

/** How often each fault and each thing that happens by itself may happen. */
export interface Budget {
  /** A node's answer that comes too late for who waits, or a wait of an edit that is over. */
  readonly silences: number;
  /** A message delivered that is delivered again later. */
  readonly duplicates: number;
  /** A message that is never delivered. */
  readonly losses: number;
  /** A store's answer that is lost after the command took effect. */
  readonly lostAnswers: number;
  /** A command to the store that its client library sends twice, the second one arriving at any time. */
  readonly lateCommands: number;
  readonly nodeRestarts: number;
  readonly apiCrashes: number;
  /** Rounds of the reconciler, over one node each. */
  readonly reconciles: number;
  readonly repushes: number;
  /** The store is set back to what it was at a moment that the search picks. */
  readonly rollbacks: number;
  /** The store is emptied. */
  readonly wipes: number;
  /** Leases that run out; a node registers again when everything comes to rest. */
  readonly lapses: number;
  readonly registrations: number;
  readonly clockBacks: number;
  readonly clockForwards: number;
}

export const noFaults: Budget = {
  silences: 0,
  duplicates: 0,
  losses: 0,
  lostAnswers: 0,
  lateCommands: 0,
  nodeRestarts: 0,
  apiCrashes: 0,
  reconciles: 0,
  repushes: 0,
  rollbacks: 0,
  wipes: 0,
  lapses: 0,
  registrations: 0,
  clockBacks: 0,
  clockForwards: 0,
};

/** An API process's work that goes on. */
export interface Running {
  readonly slot: string;
  readonly api: number;
  /** A number of the process part. */
  readonly process: number;
}

/** Something between two processes. What has no slot is awaited by nobody any more. */
export type Message =
  | {
      readonly kind: "request";
      readonly slot: string;
      readonly call: number;
      readonly node: number;
      readonly method: string;
      readonly request: string;
    }
  | {
      readonly kind: "response";
      readonly slot: string;
      readonly call: number;
      readonly node: number;
      readonly answer: Answer;
    }
  | { readonly kind: "push"; readonly api: number; readonly node: number; readonly request: string }
  | { readonly kind: "word"; readonly api: number; readonly node: number; readonly response: string }
  | { readonly kind: "command"; readonly method: string; readonly args: readonly unknown[] };

export interface Commit {
  /** Operation id of the edit; empty when the store changed the metadata for another reason. */
  readonly operation: string;
  readonly revision: number;
  /** Canonical. */
  readonly map: string;
}

/** What nobody in the system knows: what has happened so far, for judging what may not. */
export interface Chronicle {
  readonly commits: readonly Commit[];
  /** Edits answered with 200 that must last. */
  readonly acknowledged: readonly { readonly slot: string; readonly revision: number }[];
  /** What became of requests. */
  readonly answers: Readonly<Record<string, string>>;
  /** Executions that their node promised never to run (again). */
  readonly refused: readonly string[];
  readonly killAsked: boolean;
  readonly storeLost: boolean;
}

export interface NodeNow {
  /** A number of the node part. */
  readonly content: number;
  readonly boot: number;
}

/** One state of the whole: small numbers into the parts, so that states are cheap to keep and compare. */
export interface ClusterState {
  readonly store: number;
  readonly now: number;
  /** The content to which the store may be set back; -1 for none. */
  readonly saved: number;
  readonly nodes: readonly NodeNow[];
  readonly running: readonly Running[];
  /** Numbers of messages, in order. */
  readonly messages: readonly number[];
  /** Confirmations that an API process has not brought into the store, by process: numbers. */
  readonly noted: readonly number[];
  /** What each API process knows of nodes that have reported: numbers. */
  readonly verified: readonly number[];
  readonly left: Budget;
  /** Edits and starts of executions that are still to come, as places in the configuration. */
  readonly todo: readonly string[];
  readonly chronicle: number;
}

export type NotedConfirmations = readonly Confirmation[];
