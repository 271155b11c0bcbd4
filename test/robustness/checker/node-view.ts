import type { SandboxOperation } from "./sandbox-model.ts";

/** What a node said of one sandbox, in one List that began and ended at these times. */
export interface NodeSighting {
  readonly call: number;
  readonly return: number;
  readonly nodeId: string;
  readonly executionId: string;
  readonly revision: number;
  /** The tags as `tagsOf` writes them. */
  readonly text: string;
  /** Whether the hash that it said is the one of its tags. */
  readonly hashFits: boolean;
}

/**
 * What the nodes' own words say against the answers that clients got: an edit answered with 200, and whatever was told as
 * applied, is on the node in every List that begins after that; a node never goes back; a revision stands for one map.
 */
export function checkNodeView(
  operations: readonly SandboxOperation[],
  sightings: readonly NodeSighting[],
): readonly string[] {
  return [...heldTooLittle(operations, sightings), ...wentBack(sightings), ...ambiguous(operations, sightings)];
}

function heldTooLittle(operations: readonly SandboxOperation[], sightings: readonly NodeSighting[]): string[] {
  const promises = operations.flatMap(({ return: at, what }) => {
    if (what.kind === "kill") return [];
    const { outcome } = what;
    if (outcome.kind === "committed") {
      return [{ at, revision: outcome.status === 200 ? Math.max(outcome.revision, outcome.applied) : outcome.applied }];
    }
    return outcome.kind === "found" ? [{ at, revision: outcome.applied }] : [];
  });
  promises.sort((a, b) => a.at - b.at);
  const wrong: string[] = [];
  let next = 0;
  let promised = 0;
  for (const { call, nodeId, revision } of [...sightings].sort((a, b) => a.call - b.call)) {
    for (let promise = promises[next]; promise && promise.at < call; promise = promises[next]) {
      promised = Math.max(promised, promise.revision);
      next += 1;
    }
    if (revision < promised) {
      wrong.push(`At ${call.toFixed(2)} ${nodeId} held revision ${revision}, and ${promised} had been confirmed`);
    }
  }
  return wrong;
}

function wentBack(sightings: readonly NodeSighting[]): string[] {
  const wrong: string[] = [];
  const inOrder = [...sightings].sort((a, b) => a.return - b.return);
  for (const [index, later] of inOrder.entries()) {
    const earlier = inOrder[index - 1];
    if (earlier === undefined || earlier.executionId !== later.executionId || earlier.return >= later.call) continue;
    if (later.revision < earlier.revision) {
      wrong.push(`${later.nodeId} went back from revision ${earlier.revision} to ${later.revision}`);
    }
  }
  return wrong;
}

function ambiguous(operations: readonly SandboxOperation[], sightings: readonly NodeSighting[]): string[] {
  const texts = new Map<number, string>();
  const wrong: string[] = [];
  const note = (revision: number, text: string, who: string) => {
    const known = texts.get(revision);
    if (known === undefined) texts.set(revision, text);
    else if (known !== text) wrong.push(`Revision ${revision} is ${known}, and to ${who} it is ${text}`);
  };
  for (const { what } of operations) {
    if (what.kind === "kill") continue;
    const { outcome } = what;
    if (outcome.kind === "committed" || outcome.kind === "found") note(outcome.revision, outcome.tags.text, "a client");
  }
  for (const { nodeId, revision, text, hashFits } of sightings) {
    note(revision, text, nodeId);
    if (!hashFits) wrong.push(`The hash that ${nodeId} says of revision ${revision} is not the one of ${text}`);
  }
  return wrong;
}
