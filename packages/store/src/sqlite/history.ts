import {
  historyLimits,
  type MetadataChangeKind,
  type MetadataDelta,
  type MetadataHistoryEntry,
  type Micros,
  type Revision,
} from "@castellan/domain";
import { list, number, optionalText, text } from "../decoding.ts";
import { decodeChangeKind } from "../history.ts";
import type { Database, Row } from "./database.ts";

export interface MetadataChange {
  readonly sandboxId: string;
  readonly revision: Revision;
  readonly at: Micros;
  readonly kind: MetadataChangeKind;
  readonly delta: MetadataDelta;
  readonly apiKeyId?: string;
}

/** Adds a change to a sandbox's history, inside the step that makes it; what changes nothing is left out. */
export function recordChange(db: Database, change: MetadataChange): void {
  if (change.delta.size === 0 && change.kind === "edited") return;
  const delta = JSON.stringify([...change.delta].flat());
  db.run(
    `INSERT OR REPLACE INTO metadata_history (sandbox_id, revision, at, kind, api_key_id, delta) VALUES (?, ?, ?, ?, ?, ?)`,
    change.sandboxId,
    change.revision,
    change.at,
    change.kind,
    change.apiKeyId ?? null,
    delta,
  );
  if (delta.length > largeDelta || Math.random() < 1 / 64) trim(db, change.sandboxId);
}

export function dropHistory(db: Database, sandboxId: string): void {
  db.run("DELETE FROM metadata_history WHERE sandbox_id = ?", sandboxId);
}

/** All that is there, newest first: somewhat more than is to be shown. */
export function readHistory(db: Database, sandboxId: string): MetadataHistoryEntry[] {
  const sql = "SELECT * FROM metadata_history WHERE sandbox_id = ? ORDER BY revision DESC LIMIT ?";
  return db.all(sql, sandboxId, historyLimits.entries).map(decode);
}

/** Characters of a delta after which the history is looked at at once; below that, now and then is enough. */
const largeDelta = 8 * 1024;

/** Twice what is shown, as what stands here is counted in another way. */
function trim(db: Database, sandboxId: string): void {
  db.run(
    `DELETE FROM metadata_history WHERE sandbox_id = ? AND revision <= (
       SELECT max(revision) FROM (
         SELECT revision, row_number() OVER newest AS place, sum(length(delta)) OVER newest AS size
         FROM metadata_history WHERE sandbox_id = ? WINDOW newest AS (ORDER BY revision DESC))
       WHERE place > ? OR (size > ? AND place > 1))`,
    sandboxId,
    sandboxId,
    historyLimits.entries,
    2 * historyLimits.bytes,
  );
}

function decode(row: Row): MetadataHistoryEntry {
  const flat = list(JSON.parse(text(row["delta"])));
  const delta = new Map<string, string | null>();
  for (let i = 0; i < flat.length; i += 2) delta.set(text(flat[i]), optionalText(flat[i + 1]) ?? null);
  const apiKeyId = optionalText(row["api_key_id"]);
  return {
    revision: number(row["revision"]),
    at: number(row["at"]),
    kind: decodeChangeKind(row["kind"]),
    delta,
    ...(apiKeyId !== undefined && { apiKeyId }),
  };
}
