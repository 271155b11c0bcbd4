import type { DeadLetter, Webhook } from "@castellan/domain";
import { number, text } from "../decoding.ts";
import { noSuchTeam, noSuchWebhook, tooManyWebhooks } from "../refusals.ts";
import type { WebhookChanges, WebhookClaim, WebhookOutcome } from "../store.ts";
import {
  deadLettersKept,
  decodeDeadLetter,
  decodeRetries,
  decodeWebhook,
  encodeDeadLetter,
  encodeRetries,
  encodeWebhook,
  firstDue,
  webhooksPerTeam,
} from "../webhooks/webhook-text.ts";
import type { Database } from "./database.ts";
import { lastOf } from "./events.ts";

/** Webhooks and how far each is. Every function here but the lists runs inside a write step. */

export function addWebhook(db: Database, wanted: Omit<Webhook, "createdAt">): Webhook {
  const { teamId, webhookId } = wanted;
  if (!db.get("SELECT 1 FROM teams WHERE team_id = ?", teamId)) throw noSuchTeam();
  if (listWebhooks(db, teamId).length >= webhooksPerTeam) throw tooManyWebhooks(webhooksPerTeam);
  const webhook = { ...wanted, createdAt: db.now() };
  db.run(
    "INSERT INTO webhooks (team_id, webhook_id, webhook, enabled, cursor, retries) VALUES (?, ?, ?, ?, ?, '[]')",
    teamId,
    webhookId,
    encodeWebhook(webhook),
    webhook.enabled ? 1 : 0,
    lastOf(db, teamId).id,
  );
  return webhook;
}

export function listWebhooks(db: Database, teamId: string): Webhook[] {
  const rows = db.all("SELECT webhook FROM webhooks WHERE team_id = ? ORDER BY webhook_id", teamId);
  return rows.map((row) => decodeWebhook(text(row["webhook"])));
}

export function editWebhook(db: Database, teamId: string, webhookId: string, changes: WebhookChanges): Webhook {
  const row = db.get("SELECT webhook FROM webhooks WHERE team_id = ? AND webhook_id = ?", teamId, webhookId);
  if (row === undefined) throw noSuchWebhook();
  const before = decodeWebhook(text(row["webhook"]));
  const after = { ...before, ...changes };
  db.run(
    "UPDATE webhooks SET webhook = ?, enabled = ?, owner = NULL WHERE team_id = ? AND webhook_id = ?",
    encodeWebhook(after),
    after.enabled ? 1 : 0,
    teamId,
    webhookId,
  );
  if (after.enabled && !before.enabled) {
    db.run(
      "UPDATE webhooks SET cursor = ?, retries = '[]', due = NULL WHERE team_id = ? AND webhook_id = ?",
      lastOf(db, teamId).id,
      teamId,
      webhookId,
    );
  }
  return after;
}

export function removeWebhook(db: Database, teamId: string, webhookId: string): boolean {
  db.run("DELETE FROM dead_letters WHERE team_id = ? AND webhook_id = ?", teamId, webhookId);
  return db.run("DELETE FROM webhooks WHERE team_id = ? AND webhook_id = ?", teamId, webhookId) > 0;
}

export function claimWebhooks(db: Database, owner: string, leaseMs: number, limit: number): WebhookClaim[] {
  const now = db.now();
  const rows = db.all(
    `SELECT team_id, webhook_id, webhook, cursor, retries FROM webhooks AS w
     WHERE enabled = 1 AND (owner IS NULL OR leased_until <= ?)
       AND (due <= ? OR EXISTS (SELECT 1 FROM events AS e WHERE e.team_id = w.team_id AND e.id > w.cursor))
     ORDER BY looked_at LIMIT ?`,
    now,
    now,
    limit,
  );
  return rows.map((row) => {
    db.run(
      "UPDATE webhooks SET owner = ?, leased_until = ?, looked_at = ? WHERE team_id = ? AND webhook_id = ?",
      owner,
      now + Math.round(leaseMs * 1000),
      now,
      text(row["team_id"]),
      text(row["webhook_id"]),
    );
    const retries = decodeRetries(text(row["retries"]));
    return { webhook: decodeWebhook(text(row["webhook"])), owner, cursor: number(row["cursor"]), retries, now };
  });
}

export function settleWebhook(db: Database, claim: WebhookClaim, outcome: WebhookOutcome): boolean {
  const { teamId, webhookId } = claim.webhook;
  const now = db.now();
  const held = db.run(
    `UPDATE webhooks SET cursor = ?, retries = ?, due = ?, owner = ?, leased_until = ?
     WHERE team_id = ? AND webhook_id = ? AND enabled = 1 AND owner = ? AND leased_until > ?`,
    outcome.cursor,
    encodeRetries(outcome.retries),
    firstDue(outcome.retries) ?? null,
    outcome.leaseMs === 0 ? null : claim.owner,
    now + Math.round(outcome.leaseMs * 1000),
    teamId,
    webhookId,
    claim.owner,
    now,
  );
  if (held === 0) return false;
  for (const letter of outcome.dead) {
    const sql = "INSERT INTO dead_letters (team_id, webhook_id, letter) VALUES (?, ?, ?)";
    db.run(sql, teamId, webhookId, encodeDeadLetter(letter));
  }
  if (outcome.dead.length > 0) {
    db.run(
      `DELETE FROM dead_letters WHERE team_id = ? AND webhook_id = ? AND seq <=
         (SELECT seq FROM dead_letters WHERE team_id = ? AND webhook_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
      teamId,
      webhookId,
      teamId,
      webhookId,
      deadLettersKept,
    );
  }
  return true;
}

export function listDeadLetters(db: Database, teamId: string, webhookId: string): DeadLetter[] {
  if (!db.get("SELECT 1 FROM webhooks WHERE team_id = ? AND webhook_id = ?", teamId, webhookId)) throw noSuchWebhook();
  const sql = "SELECT letter FROM dead_letters WHERE team_id = ? AND webhook_id = ? ORDER BY seq DESC";
  return db.all(sql, teamId, webhookId).map((row) => decodeDeadLetter(text(row["letter"])));
}
