import type { NodeRecord, SandboxRecord } from "@castellan/domain";
import { number, text } from "../decoding.ts";
import { decodeNode, encodeNode } from "../nodes.ts";
import type { ExecutionKey } from "../store.ts";
import type { Database } from "./database.ts";
import { decode, loadOfTeam } from "./records.ts";

/** What the control loops ask for, across teams. */

export function listPushDue(db: Database, limit: number): SandboxRecord[] {
  return select(db, "push_due IS NOT NULL AND push_due <= ? ORDER BY push_due LIMIT ?", db.now(), limit);
}

/** In a write step. */
export function deferPush(db: Database, execution: ExecutionKey, delayMs: number): void {
  const stored = loadOfTeam(db, execution.teamId, execution.sandboxId);
  if (stored?.pushDue === undefined || stored.record.executionId !== execution.executionId) return;
  db.run("UPDATE sandboxes SET push_due = ? WHERE seq = ?", db.now() + Math.round(delayMs * 1000), stored.seq);
}

export function listEnded(db: Database, limit: number): SandboxRecord[] {
  return select(db, "state = 'running' AND end_at <= ? ORDER BY end_at LIMIT ?", db.now(), limit);
}

export function listOverdue(db: Database, limit: number): SandboxRecord[] {
  const where = "state_deadline IS NOT NULL AND state_deadline <= ? ORDER BY state_deadline LIMIT ?";
  return select(db, where, db.now(), limit);
}

export function listOnNode(db: Database, nodeId: string): SandboxRecord[] {
  return select(db, "node_id = ? ORDER BY sandbox_id", nodeId);
}

/** In a write step. */
export function renewLease(db: Database, node: Omit<NodeRecord, "leaseExpiresAt">, leaseMs: number): NodeRecord {
  const leaseExpiresAt = db.now() + Math.round(leaseMs * 1000);
  db.run(
    "INSERT OR REPLACE INTO nodes (node_id, node, lease_expires_at) VALUES (?, ?, ?)",
    node.nodeId,
    encodeNode(node),
    leaseExpiresAt,
  );
  return { ...node, leaseExpiresAt };
}

export function listNodes(db: Database): NodeRecord[] {
  return db
    .all("SELECT node, lease_expires_at FROM nodes WHERE lease_expires_at >= 0 ORDER BY node_id")
    .map((row) => decodeNode(text(row["node"]), number(row["lease_expires_at"])));
}

/** In a write step. */
export function forgetNode(db: Database, nodeId: string): void {
  db.run("INSERT OR REPLACE INTO nodes (node_id, node, lease_expires_at) VALUES (?, '', -1)", nodeId);
}

export function listForgottenNodes(db: Database): string[] {
  const rows = db.all("SELECT node_id FROM nodes WHERE lease_expires_at < 0 ORDER BY node_id");
  return rows.map((row) => text(row["node_id"]));
}

function select(db: Database, where: string, ...values: (string | number)[]): SandboxRecord[] {
  return db.all(`SELECT * FROM sandboxes WHERE ${where}`, ...values).map((row) => decode(row).record);
}
