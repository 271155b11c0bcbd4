import { type Metadata, metadataLimits, type SandboxRecord } from "@castellan/domain";
import { decimal, list, malformed, number, text } from "../decoding.ts";
import { escapeText } from "../metadata-text.ts";
import { candidatesPerCount, candidatesPerStep, listDeadlineMs } from "../options.ts";
import { listingTooLong } from "../refusals.ts";
import type { ListPage, ListPosition, ListQuery } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import * as lua from "./lua/lists.ts";
import { decodeRecord } from "./records.ts";

export async function get(
  store: RedisConnection,
  teamId: string,
  sandboxId: string,
): Promise<SandboxRecord | undefined> {
  const known = store.identities.get(sandboxId);
  const answer = await store.readTeam(lua.get, teamId, [sandboxId, known?.made ?? ""]);
  return answer[0] === "ok" ? decodeRecord(store, answer[1], known) : undefined;
}

/** Goes on with bounded scripts until the page is full, there is no more, or the deadline. */
export async function listSandboxes(store: RedisConnection, teamId: string, query: ListQuery): Promise<ListPage> {
  if (query.filter.size > metadataLimits.keys || query.states.length === 0) return { sandboxes: [] };
  const deadline = performance.now() + listDeadlineMs;
  const sandboxes: SandboxRecord[] = [];
  let position = query.after;
  for (;;) {
    const answer = await store.readTeam(lua.list, teamId, [
      query.order,
      query.limit - sandboxes.length,
      position?.startedAt ?? "",
      position?.sandboxId ?? "",
      query.startedAfter ?? "",
      candidatesPerStep,
      query.template === undefined ? "" : JSON.stringify(query.template),
      query.states.map((state) => (state === "running" ? "r" : "p")).join(""),
      ...tagsOf(query.filter),
    ]);
    if (answer[0] === "noteam") return { sandboxes };
    const [, ended, startedAt, sandboxId, records] = answer;
    for (const record of list(records)) sandboxes.push(decodeRecord(store, record));
    if (ended === "end") return { sandboxes };
    if (ended === "more") return { sandboxes, ...nextAfter(sandboxes) };
    if (ended !== "go on") throw malformed("how a listing ended", ended);
    position = { startedAt: decimal(startedAt), sandboxId: text(sandboxId) };
    if (performance.now() > deadline) {
      if (sandboxes.length === 0) throw listingTooLong();
      return { sandboxes, next: position };
    }
  }
}

export async function countRunning(
  store: RedisConnection,
  teamId: string,
  filter: Metadata,
): Promise<number | undefined> {
  if (filter.size > metadataLimits.keys) return 0;
  let count = 0;
  let after = "";
  for (let examined = 0; examined <= candidatesPerCount; examined += candidatesPerStep) {
    const args = [candidatesPerStep, after, ...tagsOf(filter)];
    const answer = await store.readTeam(lua.countRunning, teamId, args);
    if (answer[0] === "noteam") return 0;
    count += number(answer[1]);
    after = text(answer[2]);
    if (after === "") return count;
  }
  return undefined;
}

/** Each as its line in a record has it. */
function tagsOf(filter: Metadata): string[] {
  return [...filter].map(([key, value]) => `${escapeText(key)}\t${escapeText(value)}`);
}

function nextAfter(page: readonly SandboxRecord[]): { next?: ListPosition } {
  const last = page.at(-1);
  return last ? { next: { startedAt: last.startedAt, sandboxId: last.sandboxId } } : {};
}
