import type { SandboxOperation, Tags } from "./sandbox-model.ts";

export interface LostEdit {
  readonly index: number;
  readonly key: string;
  readonly expected: string | undefined;
  readonly found: string | undefined;
}

/**
 * The acknowledged edits whose effect is not in the final metadata although no edit that may have come later, answered or
 * not, named the key. A weaker question than linearizability, which also has an answer where a store may forget edits
 * that were answered with 202: then `counts` takes only those with 200.
 */
export function findLostEdits(
  operations: readonly SandboxOperation[],
  final: Tags,
  counts: (status: 200 | 202) => boolean = () => true,
): readonly LostEdit[] {
  const byKey = new Map<string, { index: number; call: number; end: number; value: string; counted: boolean }[]>();
  /** An edit that is asked for again under its `Idempotency-Key` takes effect once, at the earliest with the first call. */
  const firstCalls = new Map<string, number>();
  for (const [index, { call, return: end, what }] of operations.entries()) {
    if (what.kind !== "edit" || what.outcome.kind === "refused") continue;
    const asked = what.idempotencyKey ?? `#${index}`;
    const first = Math.min(call, firstCalls.get(asked) ?? call);
    firstCalls.set(asked, first);
    const counted = what.outcome.kind === "committed" && counts(what.outcome.status);
    for (const [key, value] of Object.entries(what.delta)) {
      const edits = byKey.get(key) ?? [];
      byKey.set(key, edits);
      edits.push({ index, call: first, end, value: value ?? "", counted });
    }
  }
  const lost: LostEdit[] = [];
  for (const [key, edits] of byKey) {
    const found = final.entries.get(key);
    const explains = edits.filter(({ value }) => (value === "" ? found === undefined : value === found));
    for (const edit of edits) {
      // Whatever made the final value may have come after this one, or is this one.
      if (!edit.counted || explains.some(({ end }) => end >= edit.call)) continue;
      lost.push({ index: edit.index, key, expected: edit.value === "" ? undefined : edit.value, found });
    }
  }
  return lost;
}
