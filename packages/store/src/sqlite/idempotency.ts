import type { Idempotency, SandboxRecord } from "@castellan/domain";
import { number, optionalText, text } from "../decoding.ts";
import { pairs } from "../identity.ts";
import { idempotencyKeptMs, idempotencyKeys, outcomesKept } from "../options.ts";
import { keyReused } from "../refusals.ts";
import type { LiveCommit } from "../store.ts";
import type { Database } from "./database.ts";
import { encodeMetadata } from "./records.ts";

/**
 * What a command with this key ended with, if there was one.
 * @throws `key_reused` when it was another command.
 */
export function replayOf(db: Database, record: SandboxRecord, { key, content }: Idempotency): LiveCommit | undefined {
  const row = db.get(
    "SELECT content, revision, committed_at, metadata FROM idempotency WHERE sandbox_id = ? AND key = ?",
    record.sandboxId,
    key,
  );
  if (row === undefined || number(row["committed_at"]) <= db.now() - idempotencyKeptMs * 1000) return undefined;
  if (text(row["content"]) !== content) throw keyReused();
  const metadata = optionalText(row["metadata"]);
  const outcome =
    metadata === undefined
      ? undefined
      : { metadata: new Map(pairs(JSON.parse(metadata))), revision: number(row["revision"]) };
  return { record, changed: false, replayed: true, ...(outcome && { outcome }) };
}

/** Keeps what the command ended with, and forgets what is old or too much. */
export function keepOutcome(db: Database, { sandboxId, metadata }: SandboxRecord, { key, content }: Idempotency): void {
  const encoded = encodeMetadata(metadata.value);
  db.run(
    `INSERT OR REPLACE INTO idempotency (sandbox_id, key, content, revision, committed_at, metadata)
       VALUES (?, ?, ?, ?, ?, ?)`,
    sandboxId,
    key,
    content,
    metadata.revision,
    db.now(),
    encoded,
  );
  db.run(
    `DELETE FROM idempotency WHERE seq IN (
       SELECT seq FROM (SELECT seq, committed_at FROM idempotency WHERE sandbox_id = ? ORDER BY seq LIMIT 2)
       WHERE committed_at < ?)`,
    sandboxId,
    db.now() - idempotencyKeptMs * 1000,
  );
  if (encoded.length <= 8 * 1024 && Math.random() >= 1 / 32) return;
  db.run(
    `UPDATE idempotency SET metadata = NULL WHERE sandbox_id = ? AND metadata IS NOT NULL AND seq <= (
       SELECT max(seq) FROM (
         SELECT seq, row_number() OVER newest AS place, sum(length(metadata)) OVER newest AS size
         FROM idempotency WHERE sandbox_id = ? AND metadata IS NOT NULL WINDOW newest AS (ORDER BY seq DESC))
       WHERE place > ? OR (size > ? AND place > 1))`,
    sandboxId,
    sandboxId,
    outcomesKept.maps,
    outcomesKept.bytes,
  );
  db.run(
    `DELETE FROM idempotency WHERE sandbox_id = ? AND seq <= (
       SELECT seq FROM idempotency WHERE sandbox_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
    sandboxId,
    sandboxId,
    idempotencyKeys,
  );
}

export function dropOutcomes(db: Database, sandboxId: string): void {
  db.run("DELETE FROM idempotency WHERE sandbox_id = ?", sandboxId);
}
