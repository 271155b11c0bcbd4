import { hash } from "node:crypto";
import {
  countsAsConcurrent,
  type Metadata,
  type OwnEdits,
  publicState,
  type SandboxRecord,
  type SandboxState,
} from "@castellan/domain";
import { number, optionalNumber, optionalText, text } from "../decoding.ts";
import { decodeEgress, decodeIdentity, encodeEgress, encodeIdentity, flat, labelsOf, pairs } from "../identity.ts";
import { decodeOwnEdits, encodeOwnEdits } from "../own-edits.ts";
import { decodeState } from "../states.ts";
import { keepToken } from "./access-tokens.ts";
import type { Database, Row } from "./database.ts";

/** A record with what its row holds besides. */
export interface StoredSandbox {
  readonly seq: number;
  readonly record: SandboxRecord;
  /** The boot before the one that last confirmed; its late reports are ignored. */
  readonly bootBefore: string | undefined;
  readonly pushDue: number | undefined;
  /** What it was given before every node had reported, if anything. */
  readonly own: OwnEdits | undefined;
}

export function load(db: Database, sandboxId: string): StoredSandbox | undefined {
  const row = db.get("SELECT * FROM sandboxes WHERE sandbox_id = ?", sandboxId);
  return row && decode(row);
}

/** Like `load`, but a sandbox of another team is as good as none. */
export function loadOfTeam(db: Database, teamId: string, sandboxId: string): StoredSandbox | undefined {
  const stored = load(db, sandboxId);
  return stored?.record.teamId === teamId ? stored : undefined;
}

export function decode(row: Row): StoredSandbox {
  const stateDeadline = optionalNumber(row["state_deadline"]);
  const bootId = optionalText(row["boot_id"]);
  return {
    seq: number(row["seq"]),
    bootBefore: optionalText(row["boot_before"]),
    pushDue: optionalNumber(row["push_due"]),
    own: decodeOwnEdits(optionalText(row["own_edits"])),
    record: {
      ...decodeIdentity(text(row["identity"])),
      state: decodeState(row["state"]),
      ...(stateDeadline !== undefined && { stateDeadline }),
      executionId: text(row["execution_id"]),
      generation: number(row["generation"]),
      nodeId: text(row["node_id"]),
      startedAt: number(row["started_at"]),
      metadata: {
        value: new Map(pairs(JSON.parse(text(row["metadata"])))),
        revision: number(row["metadata_revision"]),
        applied: number(row["metadata_applied"]),
      },
      endTime: {
        value: number(row["end_at"]),
        revision: number(row["end_revision"]),
        applied: number(row["end_applied"]),
      },
      egress: {
        value: decodeEgress(text(row["egress"])),
        revision: number(row["egress_revision"]),
        applied: number(row["egress_applied"]),
      },
      epoch: number(row["epoch"]),
      fullyVerified: row["fully_verified"] === 1,
      ...(bootId !== undefined && { bootId }),
    },
  };
}

/** Writes a new record and its labels. */
export function insert(db: Database, record: SandboxRecord): void {
  db.run(
    `INSERT INTO sandboxes (sandbox_id, team_id, identity, state, state_deadline, execution_id, generation, node_id,
       started_at, metadata, metadata_revision, metadata_applied, end_at, end_revision, end_applied,
       egress, egress_revision, egress_applied, epoch, fully_verified, boot_id, visible, concurrent)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    record.sandboxId,
    record.teamId,
    encodeIdentity(record),
    record.state,
    record.stateDeadline ?? null,
    record.executionId,
    record.generation,
    record.nodeId,
    record.startedAt,
    encodeMetadata(record.metadata.value),
    record.metadata.revision,
    record.metadata.applied,
    record.endTime.value,
    record.endTime.revision,
    record.endTime.applied,
    encodeEgress(record.egress.value),
    record.egress.revision,
    record.egress.applied,
    record.epoch,
    record.fullyVerified ? 1 : 0,
    record.bootId ?? null,
    visibility(record.state),
    countsAsConcurrent(record.state) ? 1 : 0,
  );
  moveLabels(db, undefined, record);
  keepToken(db, record);
}

/** Writes what a change of state or execution touches. */
export function saveLife(
  db: Database,
  before: StoredSandbox,
  after: SandboxRecord,
  beside: { readonly bootBefore: string | undefined; readonly pushDue: number | undefined },
): void {
  db.run(
    `UPDATE sandboxes SET state = ?, state_deadline = ?, execution_id = ?, generation = ?, node_id = ?, started_at = ?,
       metadata_applied = ?, end_at = ?, end_revision = ?, end_applied = ?, egress_applied = ?, boot_id = ?,
       boot_before = ?, push_due = ?, visible = ?, concurrent = ? WHERE seq = ?`,
    after.state,
    after.stateDeadline ?? null,
    after.executionId,
    after.generation,
    after.nodeId,
    after.startedAt,
    after.metadata.applied,
    after.endTime.value,
    after.endTime.revision,
    after.endTime.applied,
    after.egress.applied,
    after.bootId ?? null,
    beside.bootBefore ?? null,
    beside.pushDue ?? null,
    visibility(after.state),
    countsAsConcurrent(after.state) ? 1 : 0,
    before.seq,
  );
  moveLabels(db, before.record, after);
}

/** Writes what a node's word has changed of a record, with its labels. */
export function saveTaken(
  db: Database,
  before: StoredSandbox,
  after: SandboxRecord,
  beside: {
    readonly own: OwnEdits | undefined;
    readonly bootBefore: string | undefined;
    readonly pushDue: number | undefined;
  },
): void {
  // Labels are of the metadata too.
  changeLabels(db, "remove", before.record, labels(before.record));
  db.run(
    `UPDATE sandboxes SET state = ?, state_deadline = ?, execution_id = ?, generation = ?, node_id = ?, started_at = ?,
       metadata = ?, metadata_revision = ?, metadata_applied = ?, end_at = ?, end_revision = ?, end_applied = ?,
       egress = ?, egress_revision = ?, egress_applied = ?, boot_id = ?, boot_before = ?, push_due = ?, visible = ?,
       concurrent = ?, own_edits = ? WHERE seq = ?`,
    after.state,
    after.stateDeadline ?? null,
    after.executionId,
    after.generation,
    after.nodeId,
    after.startedAt,
    encodeMetadata(after.metadata.value),
    after.metadata.revision,
    after.metadata.applied,
    after.endTime.value,
    after.endTime.revision,
    after.endTime.applied,
    encodeEgress(after.egress.value),
    after.egress.revision,
    after.egress.applied,
    after.bootId ?? null,
    beside.bootBefore ?? null,
    beside.pushDue ?? null,
    visibility(after.state),
    countsAsConcurrent(after.state) ? 1 : 0,
    encodeOwnEdits(beside.own) ?? null,
    before.seq,
  );
  changeLabels(db, "add", after, labels(after));
}

export function encodeMetadata(metadata: Metadata): string {
  return JSON.stringify(flat(metadata));
}

/** The public state as the tables hold it. */
export function visibility(state: SandboxState): number {
  return shownAs(publicState(state));
}

export function shownAs(state: "running" | "paused" | undefined): number {
  return state === undefined ? 0 : state === "running" ? 1 : 2;
}

/** 16 bytes: enough that a shared hash is a curiosity, which the comparison with the record takes care of. */
export function labelHash(label: string): Uint8Array {
  return hash("sha256", label, "buffer").subarray(0, 16);
}

/** Takes the labels of a record from where it was listed to where it is listed now. */
export function moveLabels(db: Database, before: SandboxRecord | undefined, after: SandboxRecord | undefined): void {
  const stays =
    before !== undefined &&
    after !== undefined &&
    before.startedAt === after.startedAt &&
    visibility(before.state) === visibility(after.state);
  if (stays) return;
  if (before) changeLabels(db, "remove", before, labels(before));
  if (after) changeLabels(db, "add", after, labels(after));
}

/** Adds or removes labels of a record, if it is listed. */
export function changeLabels(
  db: Database,
  change: "add" | "remove",
  record: SandboxRecord,
  names: readonly string[],
): void {
  const visible = visibility(record.state);
  if (visible === 0) return;
  const sql =
    change === "add"
      ? "INSERT OR IGNORE INTO labels (team_id, visible, label, started_at, sandbox_id) VALUES (?, ?, ?, ?, ?)"
      : "DELETE FROM labels WHERE team_id = ? AND visible = ? AND label = ? AND started_at = ? AND sandbox_id = ?";
  for (const name of names) {
    db.run(sql, record.teamId, visible, labelHash(name), record.startedAt, record.sandboxId);
  }
}

function labels(record: SandboxRecord): string[] {
  return labelsOf(record.metadata.value, record.templateId, record.templateAlias);
}
