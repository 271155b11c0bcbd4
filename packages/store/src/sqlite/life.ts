import {
  type AppliedRevisions,
  countsAsConcurrent,
  eventOfRemoval,
  mayBecome,
  nextRevision,
  outlivesExecution,
  type SandboxRecord,
  sandboxNotFound,
  stateConflict,
  transitionalStates,
} from "@castellan/domain";
import { number } from "../decoding.ts";
import { defaultStateDeadlineMs, tombstoneKeptMs } from "../options.ts";
import { executionRemoved, noSuchTeam, otherExecution, quotaExceeded, sandboxExists, staleEpoch } from "../refusals.ts";
import type { ExecutionKey, NewSandboxRecord, Transition, Why } from "../store.ts";
import { dropToken } from "./access-tokens.ts";
import type { Database } from "./database.ts";
import { appliedOf, appliedWith, isApplied, mayBePushed, requireVerified } from "./edits.ts";
import { emitKilled, emitTransition } from "./events.ts";
import { dropHistory, recordChange } from "./history.ts";
import { dropOutcomes } from "./idempotency.ts";
import { insert, load, loadOfTeam, moveLabels, type StoredSandbox, saveLife } from "./records.ts";

const nothingApplied: AppliedRevisions = { metadata: 0, endTime: 0, egress: 0 };

/** A sandbox's life. Every function here but `isTombstoned` runs inside a write step. */

export function create(db: Database, sandbox: NewSandboxRecord, maxConcurrent: number): SandboxRecord {
  const { executionId, nodeId, metadata, lifetimeMs, egress, deadlineMs, epoch, ...identity } = sandbox;
  if (!db.get("SELECT 1 FROM teams WHERE team_id = ?", sandbox.teamId)) throw noSuchTeam();
  const known = load(db, sandbox.sandboxId);
  if (known) {
    const same = known.record.teamId === sandbox.teamId && known.record.executionId === executionId;
    if (!same) throw sandboxExists(sandbox.sandboxId);
    return known.record;
  }
  if (epoch !== db.epoch) throw staleEpoch();
  if (isTombstoned(db, sandbox.sandboxId, executionId)) throw executionRemoved(sandbox.sandboxId);
  checkQuota(db, sandbox.teamId, maxConcurrent);

  const now = db.now();
  const revision = nextRevision(0, now, db.epoch);
  const record: SandboxRecord = {
    ...identity,
    state: "creating",
    stateDeadline: now + Math.round(deadlineMs * 1000),
    executionId,
    generation: 1,
    nodeId,
    startedAt: now,
    metadata: { value: metadata, revision, applied: 0 },
    endTime: { value: now + Math.round(lifetimeMs * 1000), revision, applied: 0 },
    egress: { value: egress, revision, applied: 0 },
    epoch: db.epoch,
    fullyVerified: true,
  };
  insert(db, record);
  const { sandboxId, apiKeyId } = identity;
  recordChange(db, { sandboxId, revision, at: now, kind: "created", delta: metadata, apiKeyId });
  return record;
}

export function transition(db: Database, change: Transition): SandboxRecord {
  const stored = loadOfTeam(db, change.teamId, change.sandboxId);
  if (stored === undefined) throw sandboxNotFound(change.sandboxId);
  const { record } = stored;
  if (record.executionId !== change.executionId) throw otherExecution(change.sandboxId);
  if (!change.from.includes(record.state) || !mayBecome(record.state, change.to)) {
    throw stateConflict(change.sandboxId, record.state);
  }
  if (change.next && change.next.generation <= record.generation) throw otherExecution(change.sandboxId);
  if (change.next) requireVerified(db, record, true);
  const limit = change.maxConcurrent;
  if (limit !== undefined && countsAsConcurrent(change.to) && !countsAsConcurrent(record.state)) {
    checkQuota(db, change.teamId, limit);
  }
  return applyTransition(db, stored, change);
}

/** Takes a record whose end time has passed to its end, or leaves it when that is no longer so. */
export function claimEnded(
  db: Database,
  execution: ExecutionKey,
  to: "killing" | "pausing",
  deadlineMs: number,
): SandboxRecord | undefined {
  const stored = loadOfTeam(db, execution.teamId, execution.sandboxId);
  if (stored === undefined || stored.record.executionId !== execution.executionId) return undefined;
  if (stored.record.state !== "running" || stored.record.endTime.value > db.now()) return undefined;
  if (stored.record.epoch !== db.epoch) return undefined;
  return applyTransition(db, stored, { to, deadlineMs, cause: "timeout" });
}

export function remove(db: Database, execution: ExecutionKey, why: Why = {}): boolean {
  const stored = loadOfTeam(db, execution.teamId, execution.sandboxId);
  if (stored && stored.record.executionId !== execution.executionId) return false;
  if (stored) requireVerified(db, stored.record, false);
  if (stored && outlivesExecution(stored.record.state)) return false;
  db.run(
    "INSERT OR REPLACE INTO tombstones (sandbox_id, execution_id, expires_at) VALUES (?, ?, ?)",
    execution.sandboxId,
    execution.executionId,
    db.now() + tombstoneKeptMs * 1000,
  );
  db.run(
    `DELETE FROM tombstones WHERE (sandbox_id, execution_id) IN
       (SELECT sandbox_id, execution_id FROM tombstones WHERE expires_at < ? ORDER BY expires_at LIMIT 4)`,
    db.now(),
  );
  if (stored === undefined) return false;
  if (eventOfRemoval(stored.record.state) !== undefined) emitKilled(db, stored.record, why);
  moveLabels(db, stored.record, undefined);
  dropToken(db, execution.sandboxId);
  dropHistory(db, execution.sandboxId);
  dropOutcomes(db, execution.sandboxId);
  db.run("DELETE FROM sandboxes WHERE seq = ?", stored.seq);
  return true;
}

export function isTombstoned(db: Database, sandboxId: string, executionId: string): boolean {
  const sql = "SELECT 1 FROM tombstones WHERE sandbox_id = ? AND execution_id = ?";
  return db.get(sql, sandboxId, executionId) !== undefined;
}

function applyTransition(
  db: Database,
  stored: StoredSandbox,
  change: Pick<Transition, "to" | "deadlineMs" | "next" | "lifetimeMs" | "confirmed" | "quiet" | keyof Why>,
): SandboxRecord {
  const { bootId: _boot, stateDeadline: _deadline, ...before } = stored.record;
  const { next, to } = change;
  const now = db.now();
  const { bootId, bootBefore, applied } = confirmedAfter(stored, change);
  const end = change.lifetimeMs === undefined ? before.endTime.value : now + Math.round(change.lifetimeMs * 1000);
  const endValue = to === "paused" ? now : end;
  const endRevision = before.endTime.revision;
  const record: SandboxRecord = {
    ...before,
    ...next,
    state: to,
    ...(transitionalStates.includes(to) && {
      stateDeadline: now + Math.round((change.deadlineMs ?? defaultStateDeadlineMs) * 1000),
    }),
    startedAt: next ? now : before.startedAt,
    metadata: { ...before.metadata, applied: applied.metadata },
    endTime: {
      value: endValue,
      revision: endValue === before.endTime.value ? endRevision : nextRevision(endRevision, now, db.epoch),
      applied: applied.endTime,
    },
    egress: { ...before.egress, applied: applied.egress },
    ...(bootId !== undefined && { bootId }),
  };
  saveLife(db, stored, record, { bootBefore, pushDue: dueAfterTransition(stored, record, now) });
  if (change.quiet !== true) emitTransition(db, stored.record, record, change);
  return record;
}

/** What counts as confirmed afterwards: of a new execution nothing but what comes with it. */
export function confirmedAfter(
  stored: StoredSandbox,
  change: Pick<Transition, "next" | "confirmed">,
): { bootId: string | undefined; bootBefore: string | undefined; applied: AppliedRevisions } {
  const { next, confirmed } = change;
  if (next) return { bootId: confirmed?.bootId, bootBefore: undefined, applied: confirmed?.applied ?? nothingApplied };
  const { record, bootBefore } = stored;
  if (confirmed === undefined || confirmed.bootId === bootBefore) {
    return { bootId: record.bootId, bootBefore, applied: appliedOf(record) };
  }
  return {
    bootId: confirmed.bootId,
    bootBefore: confirmed.bootId === record.bootId ? bootBefore : record.bootId,
    applied: appliedWith(record, confirmed.bootId, confirmed.applied),
  };
}

/** What a start or a return to running left behind is due at once; other states are not pushed to. */
function dueAfterTransition(stored: StoredSandbox, record: SandboxRecord, now: number): number | undefined {
  if (!mayBePushed(record.state) || isApplied(record, appliedOf(record))) return undefined;
  return stored.pushDue ?? now;
}

function checkQuota(db: Database, teamId: string, limit: number): void {
  const row = db.get("SELECT count(*) AS count FROM sandboxes WHERE team_id = ? AND concurrent = 1", teamId);
  if (number(row?.["count"]) >= limit) throw quotaExceeded(limit);
}
