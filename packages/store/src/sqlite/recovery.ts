import { type Metadata, type MetadataDelta, type SandboxRecord, takeFound } from "@castellan/domain";
import { staleEpoch } from "../refusals.ts";
import type { AdoptedSandbox, AdoptOutcome, Verification } from "../store.ts";
import type { Database } from "./database.ts";
import { appliedOf, isApplied, mayBePushed } from "./edits.ts";
import { emitFound } from "./events.ts";
import { recordChange } from "./history.ts";
import { confirmedAfter, isTombstoned } from "./life.ts";
import { insert, load, loadOfTeam, type StoredSandbox, saveTaken } from "./records.ts";

/** What the store learns from nodes after it may have forgotten. Every function runs inside a write step. */

export function adopt(db: Database, sandbox: AdoptedSandbox): AdoptOutcome {
  const { executionId, generation, nodeId, bootId, startedAt, metadata, endTime, egress, epoch, ...identity } = sandbox;
  const stored = load(db, sandbox.sandboxId);
  if (stored && !mayKnowMore(stored.record, sandbox)) return "known";
  if (isTombstoned(db, sandbox.sandboxId, executionId)) return "tombstoned";
  if (epoch !== db.epoch) throw staleEpoch();
  if (stored) return take(db, stored, sandbox);
  const record: SandboxRecord = {
    ...identity,
    state: "running",
    executionId,
    generation,
    nodeId,
    startedAt,
    metadata: { ...metadata, applied: metadata.revision },
    endTime: { ...endTime, applied: endTime.revision },
    egress: { ...egress, applied: egress.revision },
    // Not verified: other nodes may know of a newer execution.
    epoch: 0,
    fullyVerified: false,
    bootId,
  };
  insert(db, record);
  const { sandboxId } = identity;
  recordChange(db, { sandboxId, revision: metadata.revision, at: db.now(), kind: "adopted", delta: metadata.value });
  emitFound(db, record);
  return "adopted";
}

export function verify(db: Database, epoch: number, { teamId, sandboxId, executionId, ownNode, fully }: Verification) {
  if (epoch !== db.epoch) throw staleEpoch();
  const stored = loadOfTeam(db, teamId, sandboxId);
  if (stored?.record.executionId !== executionId) return;
  const { record } = stored;
  if (record.epoch === epoch && (record.fullyVerified || !fully)) return;
  if (ownNode === "forgotten") {
    db.run(
      "UPDATE sandboxes SET metadata_applied = 0, end_applied = 0, egress_applied = 0, boot_id = NULL WHERE seq = ?",
      stored.seq,
    );
  }
  db.run("UPDATE sandboxes SET epoch = ?, fully_verified = ? WHERE seq = ?", epoch, fully ? 1 : 0, stored.seq);
  if (fully) db.run("UPDATE sandboxes SET own_edits = NULL WHERE seq = ?", stored.seq);
  const current = ownNode === "reported" && isApplied(record, appliedOf(record));
  if (!current && mayBePushed(record.state)) {
    db.run(
      "UPDATE sandboxes SET push_due = ? WHERE seq = ?",
      Math.min(stored.pushDue ?? db.now(), db.now()),
      stored.seq,
    );
  }
}

/** A node's word counts for the record's own execution, and for a newer one. */
function mayKnowMore(record: SandboxRecord, sandbox: AdoptedSandbox): boolean {
  if (record.teamId !== sandbox.teamId) return false;
  return record.executionId === sandbox.executionId || sandbox.generation > record.generation;
}

/** Brings what a node knows better into the record, if it does. */
function take(db: Database, stored: StoredSandbox, sandbox: AdoptedSandbox): AdoptOutcome {
  const { record, own } = stored;
  const now = db.now();
  const taken = takeFound(record, own, sandbox, { now, epoch: db.epoch });
  const isNewer = sandbox.executionId !== record.executionId;
  // What the store has forgotten may be that the start succeeded, and was answered.
  const begun = record.epoch !== db.epoch && (record.state === "creating" || record.state === "resuming");
  if (taken.outcome === "nothing" && !isNewer && !begun) return "known";

  const { stateDeadline, ...before } = record;
  const { executionId, generation, nodeId, startedAt, bootId } = sandbox;
  const runs = record.state !== "killing" && (isNewer || begun);
  const next = isNewer ? { executionId, generation, nodeId } : undefined;
  const reported = appliedOf({ ...record, ...taken.fields });
  const confirmed = confirmedAfter(stored, { ...(next && { next }), confirmed: { bootId, applied: reported } });
  const { metadata, endTime, egress } = taken.fields;
  const after: SandboxRecord = {
    ...before,
    metadata: { ...metadata, applied: confirmed.applied.metadata },
    endTime: { ...endTime, applied: confirmed.applied.endTime },
    egress: { ...egress, applied: confirmed.applied.egress },
    ...(next && { ...next, startedAt }),
    ...(runs ? { state: "running" } : stateDeadline !== undefined && { stateDeadline }),
    ...(confirmed.bootId !== undefined && { bootId: confirmed.bootId }),
  };
  const current = isApplied(after, appliedOf(after));
  const pushDue = mayBePushed(after.state) && !current ? (stored.pushDue ?? now) : undefined;
  emitFound(db, after);
  saveTaken(db, stored, after, { own: taken.own, bootBefore: confirmed.bootBefore, pushDue });
  const { revision } = metadata;
  if (revision !== record.metadata.revision) {
    const kind = revision === sandbox.metadata.revision ? "adopted" : "merged";
    const delta = deltaBetween(record.metadata.value, metadata.value);
    recordChange(db, { sandboxId: record.sandboxId, revision, at: now, kind, delta });
  }
  return taken.outcome === "merged" ? "merged" : "adopted";
}

function deltaBetween(before: Metadata, after: Metadata): MetadataDelta {
  const delta = new Map<string, string | null>();
  for (const [key, value] of after) if (before.get(key) !== value) delta.set(key, value);
  for (const key of before.keys()) if (!after.has(key)) delta.set(key, null);
  return delta;
}
