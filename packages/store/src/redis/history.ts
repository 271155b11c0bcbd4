import type { MetadataHistoryEntry } from "@castellan/domain";
import { decimal, malformed, text, textList } from "../decoding.ts";
import { decodeChangeKind } from "../history.ts";
import { parseMetadataText } from "../metadata-text.ts";
import type { HistoryPage, HistoryQuery } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import * as lua from "./lua/history.ts";

export async function metadataHistory(
  store: RedisConnection,
  teamId: string,
  sandboxId: string,
  query: HistoryQuery,
): Promise<HistoryPage | undefined> {
  const args = [sandboxId, query.before ?? "", query.limit];
  const [outcome, oldest, ...entries] = await store.readTeam(lua.readHistory, teamId, args);
  if (outcome !== "ok") return undefined;
  return { entries: textList(entries).map(decodeEntry), ...(oldest !== "" && { oldestRevision: decimal(oldest) }) };
}

/** As `recordChange` of the scripts writes it. */
function decodeEntry(entry: string): MetadataHistoryEntry {
  const end = entry.indexOf("\n");
  if (end < 0) throw malformed("an entry of a history", entry);
  const [revision, at, kind, apiKeyId] = entry.slice(0, end).split("\t");
  const delta = new Map<string, string | null>();
  for (const [key, edit] of parseMetadataText(entry.slice(end + 1))) {
    delta.set(key, edit.startsWith("=") ? edit.slice(1) : null);
  }
  return {
    revision: decimal(revision),
    at: decimal(at),
    kind: decodeChangeKind(kind),
    delta,
    ...(apiKeyId !== undefined && apiKeyId !== "" && { apiKeyId: text(JSON.parse(apiKeyId)) }),
  };
}
