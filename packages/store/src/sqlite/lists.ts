import { setImmediate as nextTurn } from "node:timers/promises";
import { type Metadata, metadataLimits, publicState, type SandboxRecord } from "@castellan/domain";
import { number, text } from "../decoding.ts";
import { tagLabel, templateLabel } from "../identity.ts";
import { candidatesPerCount, candidatesPerStep, listDeadlineMs } from "../options.ts";
import { listingTooLong } from "../refusals.ts";
import type { ListPage, ListPosition, ListQuery } from "../store.ts";
import type { Database } from "./database.ts";
import { decode, labelHash, shownAs } from "./records.ts";

/** A place in a list, and whether the labels that the walk did not follow are there too. */
interface Candidate extends ListPosition {
  readonly hit: boolean;
}

/**
 * Walks the index of the rarest label in each public state, newest or oldest first, and compares what it finds with the
 * records. It looks at a bounded number of entries before it lets others have their turn.
 */
export async function listSandboxes(db: Database, teamId: string, query: ListQuery): Promise<ListPage> {
  if (query.filter.size > metadataLimits.keys || query.states.length === 0) return { sandboxes: [] };
  const deadline = performance.now() + listDeadlineMs;
  const sandboxes: SandboxRecord[] = [];
  let position = query.after;
  for (;;) {
    const step = await db.read(() => walk(db, teamId, query, position, sandboxes));
    if (step === "more") return { sandboxes, ...nextAfter(sandboxes) };
    if (step === "end") return { sandboxes };
    position = step;
    if (performance.now() > deadline) {
      if (sandboxes.length === 0) throw listingTooLong();
      return { sandboxes, next: position };
    }
    await nextTurn();
  }
}

/** Running sandboxes with all of these tags, or `undefined` when there are too many candidates to look at. */
export function countRunning(db: Database, teamId: string, filter: Metadata): number | undefined {
  if (filter.size > metadataLimits.keys) return 0;
  const labels = [...filter].map(([key, value]) => labelHash(tagLabel(key, value)));
  const [rarest, ...others] = byRarity(db, teamId, shownAs("running"), labels);
  const source =
    rarest === undefined
      ? "SELECT 1 AS hit FROM sandboxes entry WHERE team_id = ? AND visible = ?"
      : `SELECT ${hasAll(others.length)} AS hit FROM labels entry WHERE team_id = ? AND visible = ? AND label = ?`;
  const row = db.get(
    `SELECT count(*) AS examined, coalesce(sum(hit), 0) AS hits FROM (${source} LIMIT ?)`,
    ...others,
    teamId,
    shownAs("running"),
    ...(rarest === undefined ? [] : [rarest]),
    candidatesPerCount + 1,
  );
  return number(row?.["examined"]) > candidatesPerCount ? undefined : number(row?.["hits"]);
}

/** Adds to the page; answers where to go on, or that the page is full and there is more, or that there is no more. */
function walk(
  db: Database,
  teamId: string,
  query: ListQuery,
  after: ListPosition | undefined,
  page: SandboxRecord[],
): "more" | "end" | ListPosition {
  const streams = query.states.map((state) => candidates(db, teamId, query, shownAs(state), after));
  const heads = streams.map((stream) => stream.next());
  let last = after;
  for (let examined = 0; examined < candidatesPerStep; examined += 1) {
    const first = firstOf(heads, query.order);
    const head = heads[first];
    if (head === undefined || head.done) return "end";
    last = { startedAt: head.value.startedAt, sandboxId: head.value.sandboxId };
    if (head.value.hit) {
      const record = recordIfMatching(db, head.value.sandboxId, query);
      if (record !== undefined) {
        if (page.length === query.limit) return "more";
        page.push(record);
      }
    }
    const stream = streams[first];
    if (stream) heads[first] = stream.next();
  }
  return last ?? "end";
}

/** The index entries of one public state in list order, read in portions. */
function* candidates(
  db: Database,
  teamId: string,
  query: ListQuery,
  visible: number,
  after: ListPosition | undefined,
): Generator<Candidate, undefined> {
  const names = [...query.filter].map(([key, value]) => tagLabel(key, value));
  if (query.template !== undefined) names.push(templateLabel(query.template));
  const [rarest, ...others] = byRarity(db, teamId, visible, names.map(labelHash));
  const source =
    rarest === undefined
      ? "SELECT started_at, sandbox_id, 1 AS hit FROM sandboxes entry WHERE team_id = ? AND visible = ?"
      : `SELECT started_at, sandbox_id, ${hasAll(others.length)} AS hit FROM labels entry WHERE team_id = ? AND visible = ? AND label = ?`;
  const beyond =
    query.order === "desc"
      ? "AND started_at <= ? AND (started_at < ? OR sandbox_id > ?)"
      : "AND started_at >= ? AND (started_at > ? OR sandbox_id < ?)";
  const order = query.order === "desc" ? "started_at DESC, sandbox_id" : "started_at, sandbox_id DESC";
  const sql = `${source} AND started_at >= ? ${beyond} ORDER BY ${order} LIMIT ?`;
  const portion = others.length === 0 ? query.limit + 1 : 500;
  let position = after ?? beginning(query.order);
  for (;;) {
    const rows = db.all(
      sql,
      ...others,
      teamId,
      visible,
      ...(rarest === undefined ? [] : [rarest]),
      query.startedAfter ?? 0,
      position.startedAt,
      position.startedAt,
      position.sandboxId,
      portion,
    );
    for (const row of rows) {
      position = { startedAt: number(row["started_at"]), sandboxId: text(row["sandbox_id"]) };
      yield { ...position, hit: row["hit"] === 1 };
    }
    if (rows.length < portion) return;
  }
}

/** The rarest label first. Counting stops where it no longer matters. */
function byRarity(db: Database, teamId: string, visible: number, labels: readonly Uint8Array[]): Uint8Array[] {
  if (labels.length < 2) return [...labels];
  const enough = 1000;
  const sql = `SELECT count(*) AS count FROM (
    SELECT 1 FROM labels WHERE team_id = ? AND visible = ? AND label = ? LIMIT ${enough})`;
  return labels
    .map((label) => ({ label, count: number(db.get(sql, teamId, visible, label)?.["count"]) }))
    .sort((a, b) => a.count - b.count)
    .map(({ label }) => label);
}

/** Whether so many other labels lead to the same entry. */
function hasAll(labels: number): string {
  if (labels === 0) return "1";
  return new Array(labels)
    .fill(
      `EXISTS (SELECT 1 FROM labels other WHERE other.team_id = entry.team_id AND other.visible = entry.visible
        AND other.label = ? AND other.started_at = entry.started_at AND other.sandbox_id = entry.sandbox_id)`,
    )
    .join(" AND ");
}

function recordIfMatching(db: Database, sandboxId: string, query: ListQuery): SandboxRecord | undefined {
  const row = db.get("SELECT * FROM sandboxes WHERE sandbox_id = ?", sandboxId);
  if (row === undefined) return undefined;
  const { record } = decode(row);
  const state = publicState(record.state);
  const matches =
    state !== undefined &&
    query.states.includes(state) &&
    (query.template === undefined || [record.templateId, record.templateAlias].includes(query.template)) &&
    [...query.filter].every(([key, value]) => record.metadata.value.get(key) === value);
  return matches ? record : undefined;
}

function firstOf(heads: readonly IteratorResult<Candidate, undefined>[], order: "asc" | "desc"): number {
  let first = 0;
  for (const [index, head] of heads.entries()) {
    const best = heads[first];
    if (head.done || best === undefined) continue;
    if (best.done || isBefore(head.value, best.value, order)) first = index;
  }
  return first;
}

function isBefore(a: ListPosition, b: ListPosition, order: "asc" | "desc"): boolean {
  const newer = a.startedAt === b.startedAt ? a.sandboxId < b.sandboxId : a.startedAt > b.startedAt;
  return order === "desc" ? newer : !newer;
}

function beginning(order: "asc" | "desc"): ListPosition {
  return order === "desc" ? { startedAt: Number.MAX_SAFE_INTEGER, sandboxId: "" } : { startedAt: 0, sandboxId: "~" };
}

function nextAfter(page: readonly SandboxRecord[]): { next?: ListPosition } {
  const last = page.at(-1);
  return last ? { next: { startedAt: last.startedAt, sandboxId: last.sandboxId } } : {};
}
