import { Buffer } from "node:buffer";
import {
  type AppliedRevisions,
  applyMetadataDelta,
  type Metadata,
  type MetadataDelta,
  nextRevision,
  notVerified,
  type OwnEdits,
  type SandboxRecord,
  type SandboxState,
  sandboxNotFound,
  stateConflict,
} from "@castellan/domain";
import { number, optionalNumber } from "../decoding.ts";
import { encodeEgress, tagLabel } from "../identity.ts";
import { operationKeptMs, ownEditLimits } from "../options.ts";
import { encodeOwnEdits } from "../own-edits.ts";
import { revisionDiffers, staleEpoch } from "../refusals.ts";
import { decodeState } from "../states.ts";
import type { Confirmation, EgressEdit, EndTimeEdit, LiveCommit, MetadataEdit } from "../store.ts";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import { recordChange } from "./history.ts";
import { keepOutcome, replayOf } from "./idempotency.ts";
import { changeLabels, encodeMetadata, loadOfTeam, type StoredSandbox } from "./records.ts";

/** Live edits and their confirmations. Every function here runs inside a write step. */

export function editMetadata(db: Database, edit: MetadataEdit, pushGrace: number): LiveCommit {
  return liveEdit(db, edit, (stored) => {
    const { record } = stored;
    if (record.state === "killing") throw stateConflict(edit.sandboxId, record.state);
    if (edit.ifMatch !== undefined && edit.ifMatch !== record.metadata.revision) throw revisionDiffers();
    const { metadata, changed } = applyMetadataDelta(record.metadata.value, edit.delta);
    if (!changed && record.fullyVerified) return undefined;

    const now = db.now();
    const revision = nextRevision(record.metadata.revision, now, db.epoch);
    keepOwn(db, stored, (own) => ({ ...own, metadata: new Map([...own.metadata, ...edit.delta]) }));
    db.run(
      "UPDATE sandboxes SET metadata = ?, metadata_revision = ?, push_due = ? WHERE seq = ?",
      encodeMetadata(metadata),
      revision,
      dueAfterEdit(stored, now + pushGrace),
      stored.seq,
    );
    relabel(db, record, metadata, edit.delta.keys());
    const after = { ...record, metadata: { ...record.metadata, value: metadata, revision } };
    const delta = effectOf(edit.delta, record.metadata.value);
    const { sandboxId } = record;
    recordChange(db, { sandboxId, revision, at: now, kind: "edited", delta, apiKeyId: edit.apiKeyId });
    emit(db, after, { type: "updated", change: { field: "metadata", delta } }, edit.apiKeyId);
    return after;
  });
}

export function editEndTime(db: Database, edit: EndTimeEdit, pushGrace: number): LiveCommit {
  return liveEdit(db, edit, (stored) => {
    const { record } = stored;
    requireRunning(record);
    const now = db.now();
    const wanted = now + Math.round(edit.lifetimeMs * 1000);
    const value = edit.mode === "extend" ? Math.max(wanted, record.endTime.value) : wanted;
    if (value === record.endTime.value && record.fullyVerified) return undefined;

    const revision = nextRevision(record.endTime.revision, now, db.epoch);
    keepOwn(db, stored, (own) => ({ ...own, endTimeSet: own.endTimeSet || edit.mode === "set" }));
    db.run(
      "UPDATE sandboxes SET end_at = ?, end_revision = ?, push_due = ? WHERE seq = ?",
      value,
      revision,
      dueAfterEdit(stored, now + pushGrace),
      stored.seq,
    );
    emit(db, record, { type: "updated", change: { field: "endTime", value } }, edit.apiKeyId);
    return { ...record, endTime: { value, revision, applied: record.endTime.applied } };
  });
}

export function editEgress(db: Database, edit: EgressEdit, pushGrace: number): LiveCommit {
  return liveEdit(db, edit, (stored) => {
    const { record } = stored;
    if (record.state !== "lost") requireRunning(record);
    const json = encodeEgress(edit.policy);
    if (json === encodeEgress(record.egress.value) && record.fullyVerified) return undefined;

    const now = db.now();
    const revision = nextRevision(record.egress.revision, now, db.epoch);
    keepOwn(db, stored, (own) => own);
    db.run(
      "UPDATE sandboxes SET egress = ?, egress_revision = ?, push_due = ? WHERE seq = ?",
      json,
      revision,
      dueAfterEdit(stored, now + pushGrace),
      stored.seq,
    );
    emit(db, record, { type: "updated", change: { field: "egress", value: edit.policy } }, edit.apiKeyId);
    return { ...record, egress: { value: edit.policy, revision, applied: record.egress.applied } };
  });
}

/** Notes one report of a node, if it is of this epoch and of the record's execution. Reads only what it needs. */
export function confirm(db: Database, report: Confirmation): void {
  if (report.epoch !== db.epoch) return;
  const row = db.get(
    `SELECT seq, state, boot_id, boot_before, push_due, metadata_revision, metadata_applied, end_revision, end_applied,
       egress_revision, egress_applied FROM sandboxes WHERE sandbox_id = ? AND team_id = ? AND execution_id = ?`,
    report.sandboxId,
    report.teamId,
    report.executionId,
  );
  if (row === undefined || row["boot_before"] === report.bootId) return;

  const sameBoot = row["boot_id"] === report.bootId;
  const held = (field: "metadata" | "end" | "egress", reported: number): number =>
    sameBoot ? Math.max(number(row[`${field}_applied`]), reported) : reported;
  const metadata = held("metadata", report.applied.metadata);
  const end = held("end", report.applied.endTime);
  const egress = held("egress", report.applied.egress);
  const isCurrent =
    metadata === row["metadata_revision"] && end === row["end_revision"] && egress === row["egress_revision"];
  const due = optionalNumber(row["push_due"]) ?? (mayBePushed(decodeState(row["state"])) ? db.now() : null);
  db.run(
    `UPDATE sandboxes SET metadata_applied = ?, end_applied = ?, egress_applied = ?, boot_id = ?, boot_before = ?,
       push_due = ? WHERE seq = ?`,
    metadata,
    end,
    egress,
    report.bootId,
    sameBoot ? (row["boot_before"] ?? null) : (row["boot_id"] ?? null),
    isCurrent ? null : due,
    number(row["seq"]),
  );
}

/** Whether a node in this state is sent what it lacks; the other states get theirs with the next start. */
export function mayBePushed(state: SandboxState): boolean {
  return state === "running" || state === "snapshotting";
}

export function appliedOf(record: SandboxRecord): AppliedRevisions {
  return { metadata: record.metadata.applied, endTime: record.endTime.applied, egress: record.egress.applied };
}

/** What is applied once a boot has reported: within one boot the maximum, else what it says. */
export function appliedWith(record: SandboxRecord, bootId: string, reported: AppliedRevisions): AppliedRevisions {
  if (bootId !== record.bootId) return reported;
  return {
    metadata: Math.max(record.metadata.applied, reported.metadata),
    endTime: Math.max(record.endTime.applied, reported.endTime),
    egress: Math.max(record.egress.applied, reported.egress),
  };
}

export function isApplied(record: SandboxRecord, applied: AppliedRevisions): boolean {
  return (
    applied.metadata === record.metadata.revision &&
    applied.endTime === record.endTime.revision &&
    applied.egress === record.egress.revision
  );
}

/**
 * The order of every live edit: team, idempotency key and operation id (a replay ends here), epoch, verified, then the
 * edit itself, which answers with the new record or with nothing when it has no effect.
 */
function liveEdit(
  db: Database,
  edit: MetadataEdit | EndTimeEdit | EgressEdit,
  apply: (stored: StoredSandbox) => SandboxRecord | undefined,
): LiveCommit {
  const stored = loadOfTeam(db, edit.teamId, edit.sandboxId);
  const idempotency = "idempotency" in edit ? edit.idempotency : undefined;
  const replay = stored && idempotency && replayOf(db, stored.record, idempotency);
  if (replay) return replay;
  const operation = `${edit.operationId}:${edit.sandboxId}`;
  if (stored && db.get("SELECT 1 FROM operations WHERE operation = ?", operation)) {
    return { record: stored.record, changed: false, replayed: true };
  }
  if (edit.epoch !== db.epoch) throw staleEpoch();
  if (stored === undefined || stored.record.state === "creating") throw sandboxNotFound(edit.sandboxId);
  requireVerified(db, stored.record, "ifMatch" in edit && edit.ifMatch !== undefined);

  const record = apply(stored);
  if (idempotency) keepOutcome(db, record ?? stored.record, idempotency);
  db.run("INSERT INTO operations (operation, committed_at) VALUES (?, ?)", operation, db.now());
  if (Math.random() < 1 / 64) forgetOperations(db, 256);
  return { record: record ?? stored.record, changed: record !== undefined, replayed: false };
}

/** @throws `unavailable` while a node may know more of the sandbox than the record does. */
export function requireVerified(
  db: Database,
  { sandboxId, epoch, fullyVerified }: SandboxRecord,
  fully: boolean,
): void {
  if (epoch !== db.epoch || (fully && !fullyVerified)) throw notVerified(sandboxId);
}

/** Until every node has reported, what the record is given is kept apart as well. */
function keepOwn(db: Database, { record, own, seq }: StoredSandbox, change: (own: OwnEdits) => OwnEdits): void {
  if (record.fullyVerified) return;
  const kept = change(own ?? { since: revisionsOf(record), metadata: new Map(), endTimeSet: false });
  const json = encodeOwnEdits(kept);
  if (kept.metadata.size > ownEditLimits.keys || Buffer.byteLength(json ?? "") > ownEditLimits.bytes) {
    throw notVerified(record.sandboxId);
  }
  db.run("UPDATE sandboxes SET own_edits = ? WHERE seq = ?", json ?? null, seq);
}

function revisionsOf({ metadata, endTime, egress }: SandboxRecord): AppliedRevisions {
  return { metadata: metadata.revision, endTime: endTime.revision, egress: egress.revision };
}

/** Forgets operation ids that are old enough, more at a time than are added between two calls. */
function forgetOperations(db: Database, atMost: number): void {
  const oldest = number(db.get("SELECT min(seq) AS seq FROM operations")?.["seq"]);
  const keptSince = db.now() - operationKeptMs * 1000;
  db.run("DELETE FROM operations WHERE seq < ? AND committed_at < ?", oldest + atMost, keptSince);
}

function requireRunning(record: SandboxRecord): void {
  if (record.state !== "running") throw stateConflict(record.sandboxId, record.state);
}

/** An edit is due after its grace, or as soon as an earlier one is; in states without a push, never. */
function dueAfterEdit(stored: StoredSandbox, due: number): number | null {
  if (!mayBePushed(stored.record.state)) return stored.pushDue ?? null;
  return Math.min(stored.pushDue ?? due, due);
}

/** The part of a delta that changes something. */
function effectOf(delta: MetadataDelta, before: Metadata): MetadataDelta {
  return new Map([...delta].filter(([key, value]) => (before.get(key) ?? null) !== value));
}

function relabel(db: Database, record: SandboxRecord, metadata: Metadata, keys: Iterable<string>): void {
  const gone: string[] = [];
  const fresh: string[] = [];
  for (const key of keys) {
    const before = record.metadata.value.get(key);
    const after = metadata.get(key);
    if (before === after) continue;
    if (before !== undefined) gone.push(tagLabel(key, before));
    if (after !== undefined) fresh.push(tagLabel(key, after));
  }
  changeLabels(db, "remove", record, gone);
  changeLabels(db, "add", record, fresh);
}
