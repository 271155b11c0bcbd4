import { type MetadataChangeKind, type MetadataHistoryEntry, withinHistory } from "@castellan/domain";
import { malformed } from "./decoding.ts";
import type { HistoryPage, HistoryQuery } from "./store.ts";

const kinds: readonly MetadataChangeKind[] = ["created", "edited", "adopted", "merged"];

/** @throws `internal` for anything else. */
export function decodeChangeKind(value: unknown): MetadataChangeKind {
  const kind = kinds.find((one) => one === value);
  if (kind === undefined) throw malformed("a kind of change", value);
  return kind;
}

/** The page of what a store holds of a sandbox's history, newest first. */
export function historyPage(all: readonly MetadataHistoryEntry[], { before, limit }: HistoryQuery): HistoryPage {
  const kept = withinHistory(all);
  const oldest = kept.at(-1)?.revision;
  return {
    entries: kept.filter(({ revision }) => before === undefined || revision < before).slice(0, limit),
    ...(oldest !== undefined && { oldestRevision: oldest }),
  };
}
