import { Buffer } from "node:buffer";
import { type EventId, eventOfTransition, type LifecycleEvent, type SandboxRecord } from "@castellan/domain";
import { number, optionalNumber, text } from "../decoding.ts";
import { eventText, parseEventText } from "../events/event-text.ts";
import { eventsKept, upkeepEvery } from "../events/limits.ts";
import { type EventStep, pageOfEvents } from "../events/paging.ts";
import type { EventPage, EventQuery, Why } from "../store.ts";
import type { Database } from "./database.ts";
import type { LastEvent } from "./last-events.ts";

type What = Pick<LifecycleEvent, "type" | "metadata" | "change" | "cause" | "resources">;

/** Adds an event to its team's stream, in the transaction of the change: in a write step. */
export function emit(db: Database, record: SandboxRecord, what: What, apiKeyId: string | undefined): void {
  const { teamId, sandboxId, executionId, templateId, startedAt } = record;
  const at = db.now();
  const body = eventText({
    ...what,
    sandboxId,
    executionId,
    templateId,
    startedAt,
    at,
    revision: record.metadata.revision,
    ...(apiKeyId !== undefined && { apiKeyId }),
  });
  const before = lastOf(db, teamId);
  const last = {
    id: Math.max(at, db.epoch, before.id + 1),
    number: before.number + 1,
    total: before.total + Buffer.byteLength(body),
  };
  db.lastEvents.set(teamId, last);
  db.run(
    "INSERT INTO events (team_id, id, sandbox_id, type, event, number, total) VALUES (?, ?, ?, ?, ?, ?, ?)",
    teamId,
    last.id,
    sandboxId,
    what.type,
    body,
    last.number,
    last.total,
  );
  if (Math.random() < 1 / upkeepEvery) trim(db, teamId, last);
}

/** What a change of state says to the outside, if anything. */
export function emitTransition(db: Database, before: SandboxRecord, after: SandboxRecord, why: Why): void {
  const type = eventOfTransition(before.state, after.state);
  if (type === "found") emitFound(db, after);
  else if (type === "killed") emitKilled(db, after, why);
  else if (type !== undefined) {
    const key = why.apiKeyId ?? (type === "created" ? after.apiKeyId : undefined);
    emit(db, after, { type, metadata: after.metadata.value, ...(type === "paused" && resourcesOf(after)) }, key);
  }
}

export function emitKilled(db: Database, record: SandboxRecord, { cause = "unknown", apiKeyId }: Why): void {
  emit(db, record, { type: "killed", metadata: record.metadata.value, cause, ...resourcesOf(record) }, apiKeyId);
}

/** It was lost, or forgotten, and its node has reported it. */
export function emitFound(db: Database, record: SandboxRecord): void {
  emit(db, record, { type: "updated", metadata: record.metadata.value, change: { field: "found" } }, undefined);
}

export function listEvents(db: Database, teamId: string, query: EventQuery): Promise<EventPage> {
  return pageOfEvents(query, (after, atMost) => db.read(() => scan(db, teamId, query, after, atMost)));
}

function scan(
  db: Database,
  teamId: string,
  { order, sandboxId, types }: EventQuery,
  after: EventId | undefined,
  atMost: number,
): EventStep {
  const oldest = db.now() - eventsKept.micros;
  const columns = "SELECT id, sandbox_id, type, event FROM events WHERE team_id = ?";
  const rows =
    order === "asc"
      ? db.all(`${columns} AND id > ? ORDER BY id LIMIT ?`, teamId, Math.max(after ?? 0, oldest - 1), atMost)
      : db.all(
          `${columns} AND id < ? AND id >= ? ORDER BY id DESC LIMIT ?`,
          teamId,
          after ?? Number.MAX_SAFE_INTEGER,
          oldest,
          atMost,
        );
  const found = rows.filter(
    (row) =>
      (sandboxId === undefined || row["sandbox_id"] === sandboxId) &&
      (types === undefined || types.some((type) => type === row["type"])),
  );
  return {
    found: found.map((row) => parseEventText(teamId, number(row["id"]), text(row["event"]))),
    looked: rows.length,
    last: optionalNumber(rows.at(-1)?.["id"]),
  };
}

/** Where the team's stream ends. */
export function lastOf(db: Database, teamId: string): LastEvent {
  const known = db.lastEvents.get(teamId);
  if (known !== undefined) return known;
  const row = db.get("SELECT id, number, total FROM events WHERE team_id = ? ORDER BY id DESC LIMIT 1", teamId);
  if (row === undefined) return { id: 0, number: 0, total: 0 };
  return { id: number(row["id"]), number: number(row["number"]), total: number(row["total"]) };
}

/** Drops what is beyond the limits. */
function trim(db: Database, teamId: string, last: LastEvent): void {
  const oldest = db.now() - eventsKept.micros;
  const first = db.get(
    "SELECT id FROM events WHERE team_id = ? AND number > ? AND total > ? AND id >= ? ORDER BY id LIMIT 1",
    teamId,
    last.number - eventsKept.count,
    last.total - eventsKept.bytes,
    oldest,
  );
  db.run("DELETE FROM events WHERE team_id = ? AND id < ?", teamId, number(first?.["id"]));
}

function resourcesOf({ resources }: SandboxRecord): Pick<What, "resources"> {
  return { resources: { cpuCount: resources.cpuCount, memoryMb: resources.memoryMb } };
}
