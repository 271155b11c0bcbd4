import {
  type ModelOptions,
  type SandboxAction,
  type SandboxOperation,
  type SandboxState,
  sandboxModel,
  type Tags,
} from "./sandbox-model.ts";
import { checkLinearizability, type Verdict } from "./search.ts";

/** Everything that was done to one sandbox. */
export interface SandboxHistory {
  readonly sandboxId: string;
  readonly created: Tags;
  /** Times in milliseconds. */
  readonly operations: readonly SandboxOperation[];
}

export function checkSandbox({ created, operations }: SandboxHistory, options: ModelOptions = {}): Verdict {
  const model = sandboxModel(created, options);
  const verdict = checkLinearizability(model, operations);
  if (verdict.linearizable !== false) return verdict;
  // Once more without what shortens the search, as far as that goes: it gets nearer to where things went wrong.
  const { initial, step, fingerprint } = model;
  const plain = checkLinearizability({ initial, step, fingerprint }, operations, stepsForReport);
  return plain.linearizable === false ? plain : verdict;
}

const stepsForReport = 100_000;

/** Operations shown before the one that fits nowhere. */
const shownBefore = 12;
const shownAfter = 6;

/**
 * Tells what is wrong with a history: the end of the longest order that explains the operations up to there, what the
 * metadata was at its end, and what was going on then, in the order of calls, with the one that fits nowhere marked.
 */
export function describeFailure(history: SandboxHistory, verdict: Verdict, options: ModelOptions = {}): string {
  const { sandboxId, created, operations } = history;
  if (verdict.linearizable === true) return `${sandboxId}: linearizable`;
  if (verdict.linearizable === "undecided") {
    return `${sandboxId}: undecided after ${verdict.steps} steps over ${operations.length} operations`;
  }
  const { longest, stuck } = verdict;
  const model = sandboxModel(created, options);
  let state: SandboxState = model.initial;
  for (const index of longest) {
    const operation = operations[index];
    state = (operation && model.step(state, operation.what)) ?? state;
  }
  const placed = new Set(longest);
  const stuckAt = operations[stuck]?.return ?? 0;
  const open = operations
    .map((operation, index) => ({ operation, index }))
    .filter(({ index }) => !placed.has(index))
    .sort((a, b) => a.operation.call - b.operation.call);
  const concurrent = open.filter(({ operation, index }) => operation.call <= stuckAt || index === stuck);
  const later = open.filter(({ operation }) => operation.call > stuckAt).slice(0, shownAfter);
  const line = (index: number, mark: string) => {
    const operation = operations[index];
    return operation ? `${mark} ${describeOperation(operation, index)}` : "";
  };
  return [
    `Sandbox ${sandboxId}: no order explains what its ${operations.length} clients' operations were answered.`,
    `Created with ${created.text}.`,
    "",
    `The longest order that fits has ${longest.length} operations. Its end:`,
    ...longest.slice(-shownBefore).map((index) => line(index, " ")),
    "",
    `Then the metadata is ${state.tags.text}`,
    `at revision ${state.isExact ? state.revision : `above ${state.revision}`}${state.isKilled ? ", and it is killed" : ""}.`,
    "",
    "Under way then, or never answered; the one marked with > fits nowhere:",
    ...concurrent.map(({ index }) => line(index, index === stuck ? ">" : " ")),
    ...(later.length > 0 ? ["", "Later:", ...later.map(({ index }) => line(index, " "))] : []),
    "",
  ].join("\n");
}

function describeOperation({ call, return: end, what }: SandboxOperation, index: number): string {
  const until = end === Number.POSITIVE_INFINITY ? "no answer" : end.toFixed(2);
  return `#${index} [${call.toFixed(2)} – ${until}] ${describeAction(what)}`;
}

function describeAction(action: SandboxAction): string {
  switch (action.kind) {
    case "kill":
      return `DELETE → ${action.outcome.kind}`;
    case "read": {
      const { outcome } = action;
      if (outcome.kind === "absent") return "GET → 404";
      return `GET → revision ${outcome.revision}, applied ${outcome.applied}, ${outcome.tags.text}`;
    }
    case "edit": {
      const { delta, ifMatch, idempotencyKey, outcome } = action;
      const sent = [
        `PATCH ${JSON.stringify(delta)}`,
        ...(ifMatch === undefined ? [] : [`If-Match ${ifMatch}`]),
        ...(idempotencyKey === undefined ? [] : [`Idempotency-Key ${idempotencyKey}`]),
      ].join(" ");
      if (outcome.kind === "unknown") return `${sent} → unknown`;
      if (outcome.kind === "refused") return `${sent} → ${outcome.status}`;
      return `${sent} → ${outcome.status}, revision ${outcome.revision}, applied ${outcome.applied}, ${outcome.tags.text}`;
    }
  }
}
