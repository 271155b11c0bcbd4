import {
  entryBytes,
  historyLimits,
  type MetadataChangeKind,
  type MetadataDelta,
  type MetadataHistoryEntry,
  type Micros,
  type Revision,
} from "@castellan/domain";
import { list, number, optionalNumber, optionalText, text } from "../decoding.ts";
import { decodeChangeKind } from "../history.ts";
import type { HistoryPage, HistoryQuery } from "../store.ts";
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
  const { sandboxId } = change;
  const last = db.get(`${sums} ORDER BY revision DESC LIMIT 1`, sandboxId);
  const position = (optionalNumber(last?.["number"]) ?? 0) + 1;
  const bytes = entryBytes(change);
  const total = (optionalNumber(last?.["total"]) ?? 0) + bytes;
  db.run(
    `INSERT OR REPLACE INTO metadata_history
       (sandbox_id, revision, at, kind, api_key_id, delta, number, bytes, total) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    sandboxId,
    change.revision,
    change.at,
    change.kind,
    change.apiKeyId ?? null,
    JSON.stringify([...change.delta].flat()),
    position,
    bytes,
    total,
  );
  for (;;) {
    const oldest = db.get(`${sums} ORDER BY revision LIMIT 1`, sandboxId);
    const entries = position - number(oldest?.["number"]) + 1;
    const size = total - number(oldest?.["total"]) + number(oldest?.["bytes"]);
    if (entries === 1 || (entries <= historyLimits.entries && size <= historyLimits.bytes)) return;
    db.run(
      "DELETE FROM metadata_history WHERE sandbox_id = ? AND revision = ?",
      sandboxId,
      number(oldest?.["revision"]),
    );
  }
}

const sums = "SELECT revision, number, bytes, total FROM metadata_history WHERE sandbox_id = ?";

export function dropHistory(db: Database, sandboxId: string): void {
  db.run("DELETE FROM metadata_history WHERE sandbox_id = ?", sandboxId);
}

/** A page, newest first. */
export function readHistory(db: Database, sandboxId: string, { before, limit }: HistoryQuery): HistoryPage {
  const sql = "SELECT * FROM metadata_history WHERE sandbox_id = ? AND revision < ? ORDER BY revision DESC LIMIT ?";
  const entries = db.all(sql, sandboxId, before ?? Number.MAX_SAFE_INTEGER, limit).map(decode);
  const oldest = db.get(`${sums} ORDER BY revision LIMIT 1`, sandboxId);
  return { entries, ...(oldest !== undefined && { oldestRevision: number(oldest["revision"]) }) };
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
