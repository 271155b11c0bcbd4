import type { EgressPolicy, Epoch, Metadata, Micros, Revision } from "@castellan/domain";
import type { DeletionCauseName, LiveRecord, StateRecord } from "./records.ts";

/** A live-editable field as the node holds it. */
export interface Held<T> {
  readonly value: T;
  /** 0: never set. */
  readonly revision: Revision;
}

export interface HeldEndTime {
  readonly endAt: Micros;
  /** Milliseconds since 1970, this machine's clock. */
  readonly dueAt: number;
}

/** What the node knows of one sandbox, whatever becomes of its executions. */
export interface HeldSandbox {
  /** The highest generation that was started here. */
  readonly generation: number;
  readonly metadata: Held<Metadata>;
  readonly endTime: Held<HeldEndTime>;
  readonly egress: Held<EgressPolicy>;
  /** The executions that have not ended, and whether they have been seeded. */
  readonly executions: ReadonlyMap<string, "starting" | "running">;
}

export interface RecordedDeletion {
  readonly sandboxId: string;
  readonly executionId: string;
  readonly sequence: number;
  readonly cause: DeletionCauseName;
}

/** Ended and refused execution ids are kept this long; no request to start one is under way for longer. */
const refusalMs = 7 * 24 * 3600 * 1000;

const nothingHeld: HeldSandbox = {
  generation: 0,
  metadata: { value: new Map(), revision: 0 },
  endTime: { value: { endAt: 0, dueAt: 0 }, revision: 0 },
  egress: { value: { allowOut: [], denyOut: [] }, revision: 0 },
  executions: new Map(),
};

/** The state of a node as the records make it; replaying them and living through them is the same code. */
export class NodeState {
  readonly #sandboxes = new Map<string, HeldSandbox>();
  readonly #deletions = new Map<number, RecordedDeletion>();
  readonly #refused = new Map<string, number>();
  #epoch: Epoch = 0;
  #highestRevision: Revision = 0;
  #nextSequence = 1;

  /** The highest epoch seen; 0 for none. */
  get epoch(): Epoch {
    return this.#epoch;
  }

  /** The highest revision of any field of any sandbox that was ever here. */
  get highestRevision(): Revision {
    return this.#highestRevision;
  }

  /** Deletions that the store has not acknowledged, oldest first. */
  get deletions(): Iterable<RecordedDeletion> {
    return this.#deletions.values();
  }

  /** Ids of the sandboxes that the node holds something of. */
  get sandboxIds(): Iterable<string> {
    return this.#sandboxes.keys();
  }

  /** All zero when the node holds nothing of the sandbox. */
  held(sandboxId: string): HeldSandbox {
    return this.#sandboxes.get(sandboxId) ?? nothingHeld;
  }

  /** Whether this execution has ended here, or was never here and by promise never will be. */
  refuses(executionId: string): boolean {
    return this.#refused.has(executionId);
  }

  /** Whether an unacknowledged deletion tells of this execution. */
  hasDeleted(executionId: string): boolean {
    for (const deletion of this.#deletions.values()) {
      if (deletion.executionId === executionId) return true;
    }
    return false;
  }

  /** Takes the next number for a deletion; one that is not used leaves a gap, which harms nobody. */
  takeSequence(): number {
    return this.#nextSequence++;
  }

  apply(record: StateRecord): void {
    switch (record.kind) {
      case "log":
        return;
      case "node":
        this.#epoch = Math.max(this.#epoch, record.epoch ?? 0);
        this.#highestRevision = Math.max(this.#highestRevision, record.highestRevision ?? 0);
        this.#nextSequence = Math.max(this.#nextSequence, record.nextSequence ?? 0);
        return;
      case "starting": {
        const held = this.held(record.sandboxId);
        this.#sandboxes.set(record.sandboxId, {
          ...held,
          generation: Math.max(held.generation, record.generation),
          executions: new Map([...held.executions, [record.executionId, "starting"]]),
        });
        return;
      }
      case "running": {
        const held = this.held(record.sandboxId);
        const executions = new Map([...held.executions, [record.executionId, "running"] as const]);
        this.#sandboxes.set(record.sandboxId, { ...held, executions });
        return;
      }
      case "live":
        this.#applyLive(record);
        return;
      case "deleted": {
        const held = this.held(record.sandboxId);
        const executions = new Map(held.executions);
        executions.delete(record.executionId);
        this.#sandboxes.set(record.sandboxId, { ...held, executions });
        this.#deletions.set(record.sequence, record);
        this.#refused.set(record.executionId, record.at);
        this.#nextSequence = Math.max(this.#nextSequence, record.sequence + 1);
        return;
      }
      case "acknowledged":
        this.#acknowledge(record.to);
        return;
      case "refused":
        this.#refused.set(record.executionId, record.at);
        return;
    }
  }

  /** Records that make this state anew; what is too old to matter is left out, and forgotten here as well. */
  snapshot(now: number): StateRecord[] {
    const records: StateRecord[] = [
      {
        kind: "node",
        epoch: this.#epoch,
        highestRevision: this.#highestRevision,
        nextSequence: this.#nextSequence,
      },
    ];
    for (const [executionId, at] of this.#refused) {
      if (now - at > refusalMs) this.#refused.delete(executionId);
      else records.push({ kind: "refused", executionId, at });
    }
    for (const [sandboxId, held] of this.#sandboxes) {
      for (const [executionId, phase] of held.executions) {
        records.push({ kind: "starting", sandboxId, executionId, generation: held.generation });
        if (phase === "running") records.push({ kind: "running", sandboxId, executionId });
      }
      records.push(liveRecord(sandboxId, held));
    }
    for (const deletion of this.#deletions.values()) {
      const { sandboxId, executionId, sequence, cause } = deletion;
      const at = this.#refused.get(executionId) ?? now;
      records.push({ kind: "deleted", sandboxId, executionId, sequence, cause, at });
    }
    return records;
  }

  #applyLive(record: LiveRecord): void {
    const held = this.held(record.sandboxId);
    const { metadata, endTime, egress } = record;
    this.#sandboxes.set(record.sandboxId, {
      ...held,
      generation: Math.max(held.generation, record.generation ?? 0),
      ...(metadata !== undefined && metadata.revision > held.metadata.revision
        ? { metadata: { value: new Map(metadata.entries), revision: metadata.revision } }
        : {}),
      ...(endTime !== undefined && endTime.revision > held.endTime.revision
        ? { endTime: { value: { endAt: endTime.endAt, dueAt: endTime.dueAt }, revision: endTime.revision } }
        : {}),
      ...(egress !== undefined && egress.revision > held.egress.revision
        ? { egress: { value: { allowOut: egress.allowOut, denyOut: egress.denyOut }, revision: egress.revision } }
        : {}),
    });
    this.#highestRevision = Math.max(
      this.#highestRevision,
      metadata?.revision ?? 0,
      endTime?.revision ?? 0,
      egress?.revision ?? 0,
    );
  }

  #acknowledge(to: number): void {
    const done = [...this.#deletions.values()].filter(({ sequence }) => sequence <= to);
    for (const { sequence } of done) this.#deletions.delete(sequence);
    const stillTold = new Set([...this.#deletions.values()].map(({ sandboxId }) => sandboxId));
    for (const { sandboxId } of done) {
      // The store has it in writing that the sandbox ended here; whoever starts it again brings what is current.
      if (this.held(sandboxId).executions.size === 0 && !stillTold.has(sandboxId)) this.#sandboxes.delete(sandboxId);
    }
  }
}

function liveRecord(sandboxId: string, held: HeldSandbox): LiveRecord {
  return {
    kind: "live",
    sandboxId,
    generation: held.generation,
    metadata: { revision: held.metadata.revision, entries: [...held.metadata.value] },
    endTime: { revision: held.endTime.revision, ...held.endTime.value },
    egress: {
      revision: held.egress.revision,
      allowOut: [...held.egress.value.allowOut],
      denyOut: [...held.egress.value.denyOut],
    },
  };
}
