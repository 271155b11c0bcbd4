import type { SandboxIdentity } from "@castellan/domain";
import { number, text } from "../decoding.ts";
import type { AccessTokenPage } from "../store.ts";
import type { Database } from "./database.ts";

/** The tokens of secure sandboxes, in the order in which they came. */

export function listAccessTokens(db: Database, after: number, limit: number): AccessTokenPage {
  const sql = "SELECT place, sandbox_id, token FROM access_tokens WHERE place > ? ORDER BY place LIMIT ?";
  const rows = db.all(sql, after, limit);
  return {
    tokens: rows.map((row) => ({ sandboxId: text(row["sandbox_id"]), token: text(row["token"]) })),
    upTo: number(rows.at(-1)?.["place"] ?? after),
    total: number(db.get("SELECT count(*) AS count FROM access_tokens")?.["count"]),
    epoch: db.epoch,
  };
}

/** In the write step that writes the record. */
export function keepToken(db: Database, { sandboxId, envdAccessToken }: SandboxIdentity): void {
  if (envdAccessToken === undefined) return;
  db.run("INSERT INTO access_tokens (sandbox_id, token) VALUES (?, ?)", sandboxId, envdAccessToken);
}

/** In the write step that removes the record. */
export function dropToken(db: Database, sandboxId: string): void {
  db.run("DELETE FROM access_tokens WHERE sandbox_id = ?", sandboxId);
}
