import {
  CastellanError,
  editIdempotency,
  type LifecycleEvent,
  type SandboxRecord,
  type SandboxState,
} from "@castellan/domain";
import fc from "fast-check";
import type { SandboxStore } from "../store.ts";
import {
  appliedOf,
  manifest,
  metadataEdit,
  newEpoch,
  newRecord,
  report,
  revisionsOf,
  tags,
  verifyOne,
} from "./fixture.ts";

/** One change of one of a team's sandboxes: what, which, and two numbers that say how. */
export type Step = readonly [
  (
    | "create"
    | "adopt"
    | "edit"
    | "extend"
    | "egress"
    | "confirm"
    | "move"
    | "remove"
    | "claim"
    | "again"
    | "epoch"
    | "verify"
    | "find"
  ),
  number,
  number,
  number,
];

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(
    fc.constantFrom<Step[0]>(
      "create",
      "adopt",
      "edit",
      "edit",
      "extend",
      "egress",
      "confirm",
      "move",
      "move",
      "move",
      "remove",
      "claim",
      "again",
      "epoch",
      "verify",
      "verify",
      "find",
    ),
    fc.nat(4),
    fc.nat(8),
    fc.nat(3),
  ),
  { maxLength: 60, size: "max" },
);

/** In microseconds. */
const hour = 3_600_000_000;

const states: readonly SandboxState[] = [
  "creating",
  "running",
  "pausing",
  "paused",
  "resuming",
  "snapshotting",
  "killing",
  "lost",
];

/** Applies steps to one team of one store; the same steps do the same in any store. */
export class RandomChanges {
  readonly sandboxIds: string[] = [];
  readonly #store: SandboxStore;
  readonly #teamId: string;
  #executions = 0;
  #repeatable: (() => Promise<unknown>) | undefined;

  constructor(store: SandboxStore, teamId: string) {
    this.#store = store;
    this.#teamId = teamId;
  }

  /** Does it, and answers in a form that does not depend on clocks: what came of it, or the code of the refusal. */
  async perform(step: Step): Promise<unknown> {
    try {
      return normal(await this.#attempt(step));
    } catch (error) {
      if (!(error instanceof CastellanError) || error.code === "internal") throw error;
      if (error.code !== "unavailable" || /waits for the nodes|began a new epoch/.test(error.message)) {
        return `${error.code}: ${error.message}`;
      }
      throw error;
    }
  }

  async #attempt([what, which, how, more]: Step): Promise<unknown> {
    const store = this.#store;
    if (what === "create" || what === "adopt") return this.#appear(what, how, more);
    if (what === "again") return this.#repeatable?.();
    const sandboxId = this.sandboxIds[which % Math.max(1, this.sandboxIds.length)] ?? this.#idOf("none");
    const found = await store.get(this.#teamId, sandboxId);
    const record = found ?? { teamId: this.#teamId, sandboxId, executionId: "enone", generation: 1 };
    const key = { teamId: this.#teamId, sandboxId, executionId: more === 3 ? "eother" : record.executionId };
    const epoch = await store.epoch();
    switch (what) {
      case "edit": {
        const delta = tags({ [`k${how % 3}`]: `v${more}` });
        const removal = new Map([[`k${how % 3}`, null]]);
        const ifMatch: { readonly ifMatch?: number } =
          how % 4 === 0 && found ? { ifMatch: found.metadata.revision + (more % 2) } : {};
        const edits = how > 5 ? removal : delta;
        const idempotency = how % 2 === 1 ? { idempotency: editIdempotency("key", edits, ifMatch.ifMatch) } : {};
        const wanted = await metadataEdit(store, record, edits, { ...ifMatch, ...idempotency });
        return this.#repeatably(() => store.editMetadata(wanted));
      }
      case "extend": {
        const mode = how % 2 === 0 ? "set" : "extend";
        const lifetimeMs = more * 3_600_000;
        const wanted = {
          teamId: this.#teamId,
          sandboxId,
          epoch,
          operationId: `op-${sandboxId}-${how}`,
          lifetimeMs,
          mode,
        } as const;
        return this.#repeatably(() => store.editEndTime(wanted));
      }
      case "egress": {
        const policy = { allowOut: [`10.0.0.${how}`], denyOut: more % 2 === 0 ? [] : ["0.0.0.0/0"] };
        const operationId = `egress-${this.#executions++}`;
        return store.editEgress({ teamId: this.#teamId, sandboxId, epoch, operationId, policy });
      }
      case "confirm": {
        if (!found) return undefined;
        const applied = {
          ...revisionsOf(found),
          ...(how % 3 === 0 && { metadata: 1 }),
          ...(how === 4 && { egress: 2 }),
        };
        return store.confirm([report(found, applied, { ...key, bootId: `boot-${more}` })]);
      }
      case "move": {
        const to = states[how % states.length] ?? "killing";
        const executionId = `e${this.#executions++}`;
        const next = { executionId, generation: record.generation + (more % 2), nodeId: `node-${more % 2}` };
        return store.transition({
          ...key,
          from: states.filter((_, i) => i !== more),
          to,
          ...(to === "resuming" && { next, lifetimeMs: 3_600_000, maxConcurrent: 3 }),
          ...(found && more === 1 && { confirmed: { bootId: "boot-1", applied: revisionsOf(found) } }),
        });
      }
      case "remove":
        return [await store.remove(key), await store.isTombstoned(sandboxId, key.executionId)];
      case "epoch":
        // Not at every step that says so: most of a sequence is to happen within an epoch.
        if (how >= 4) return undefined;
        // What is repeated after this is of an earlier epoch, or over the limit: either may be told.
        this.#repeatable = undefined;
        return (await newEpoch(store)) > 0;
      case "verify":
        return verifyOne(store, key, { fully: how % 2 === 0, ownNode: how === 8 ? "forgotten" : "reported" });
      case "find": {
        if (!found) return undefined;
        // As its node holds it: more than the record says, or less, or a newer execution of it.
        const later = (field: number, revision: number) => ((how >> field) % 2 === 0 ? revision + 1 : revision - hour);
        const newer = more === 1 ? { executionId: `e${this.#executions++}`, generation: record.generation + 1 } : {};
        return store.adopt({
          ...found,
          ...newer,
          epoch,
          bootId: `boot-${more}`,
          nodeId: `node-${more % 2}`,
          metadata: { value: tags({ found: `v${more}`, k0: "found" }), revision: later(0, found.metadata.revision) },
          endTime: { value: found.endTime.value + hour * (how - 4), revision: later(1, found.endTime.revision) },
          egress: { value: { allowOut: ["10.1.1.1"], denyOut: [] }, revision: later(2, found.egress.revision) },
        });
      }
      case "claim":
        return store.claimEnded(key, how % 2 === 0 ? "killing" : "pausing", 60_000);
    }
  }

  async #appear(what: "create" | "adopt", how: number, more: number): Promise<unknown> {
    const store = this.#store;
    // Sometimes one that was there before, as a late duplicate or a node's old manifest would have it.
    const index = how === 8 && this.sandboxIds.length > 0 ? 0 : this.sandboxIds.length;
    const sandboxId = this.sandboxIds[index] ?? this.#idOf(index);
    if (index === this.sandboxIds.length) this.sandboxIds.push(sandboxId);
    const names = {
      sandboxId,
      executionId: `e${index}first`,
      templateId: `t${how % 2}`,
      templateAlias: `a${more % 2}`,
    };
    const value = tags({ [`k${how % 3}`]: `v${more}`, all: "1" });
    if (what === "create") {
      const lifetimeMs = more === 0 ? 0 : 3_600_000;
      const wanted = await newRecord(store, this.#teamId, { ...names, metadata: value, lifetimeMs });
      return this.#repeatably(() => store.create(wanted, 4));
    }
    const startedAt = 1_700_000_000_000_000 + more;
    const wanted = await manifest(store, this.#teamId, {
      ...names,
      startedAt,
      metadata: { value, revision: 1 + more },
    });
    return this.#repeatably(() => store.adopt(wanted));
  }

  /** Ids are never the same in two teams. */
  #idOf(name: string | number): string {
    return `i${this.#teamId.replace(/\D/g, "")}x${name}`;
  }

  #repeatably(change: () => Promise<unknown>): Promise<unknown> {
    this.#repeatable = change;
    return change();
  }
}

/** Without times and revisions, which differ from store to store; what they say about each other stays. */
export function normal(outcome: unknown): unknown {
  if (isRecord(outcome)) {
    const [revision, applied] = [revisionsOf(outcome), appliedOf(outcome)];
    return {
      ...outcome,
      teamId: "",
      sandboxId: outcome.sandboxId.replace(/.*x/, ""),
      epoch: 0,
      startedAt: outcome.startedAt < 1_750_000_000_000_000 ? outcome.startedAt : 0,
      stateDeadline: outcome.stateDeadline !== undefined,
      metadata: [[...outcome.metadata.value].sort(), applied.metadata === revision.metadata, applied.metadata > 2],
      endTime: [applied.endTime === revision.endTime, applied.endTime > 2],
      egress: [outcome.egress.value, applied.egress === revision.egress, applied.egress > 2],
    };
  }
  if (typeof outcome === "object" && outcome !== null && "record" in outcome) {
    const kept = "outcome" in outcome ? { outcome: metadataOf(outcome.outcome) } : {};
    return { ...outcome, record: normal(outcome.record), ...kept };
  }
  return outcome;
}

/** The same of an event. */
export function normalEvent(event: LifecycleEvent): unknown {
  const { change, metadata } = event;
  return {
    ...event,
    ...{ id: 0, teamId: "", at: 0, revision: 0, startedAt: 0 },
    sandboxId: event.sandboxId.replace(/.*x/, ""),
    metadata: metadata && [...metadata].sort(),
    change: change?.field === "endTime" ? change.field : change,
  };
}

function metadataOf(outcome: unknown): unknown {
  if (typeof outcome !== "object" || outcome === null || !("metadata" in outcome)) return outcome;
  return outcome.metadata instanceof Map ? [...outcome.metadata].sort() : outcome.metadata;
}

function isRecord(value: unknown): value is SandboxRecord {
  return typeof value === "object" && value !== null && "sandboxId" in value && "metadata" in value;
}
