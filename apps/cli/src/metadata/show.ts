import type { MetadataState } from "@castellan/client";
import { printJson, printTable, type ResultSink } from "../terminal/table.ts";

/** Prints a sandbox's metadata: by key, or as JSON with its revisions. */
export function showMetadata(
  { metadata, revision, appliedRevision }: MetadataState,
  options: { readonly json: boolean; readonly sink: ResultSink },
): void {
  if (options.json) {
    printJson(options.sink, { metadata, revision, appliedRevision });
    return;
  }
  const entries = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  printTable(options.sink, ["KEY", "VALUE"], entries);
}
