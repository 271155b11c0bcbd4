import type { CastellanClient, MetadataChange } from "@castellan/client";
import { follow } from "../sandbox/following.ts";
import { printable } from "../terminal/printable.ts";
import { printJsonLine, printTable, type ResultSink } from "../terminal/table.ts";

export interface HistoryOutput {
  readonly json: boolean;
  readonly sink: ResultSink;
}

/** Of one answer. */
const pageChanges = 1_000;

/** `castellan metadata history`: how the metadata became what it is, newest first; at most `limit` changes. */
export async function showHistory(
  client: CastellanClient,
  sandboxId: string,
  limit: number,
  { json, sink }: HistoryOutput,
): Promise<void> {
  const { changes } = await client.metadata.history(sandboxId, { limit });
  if (json) {
    for (const change of changes) printJsonLine(sink, change);
    return;
  }
  const rows = changes.map((change) => [
    change.time,
    String(change.revision),
    change.kind,
    change.apiKeyId ?? "",
    deltaText(change.delta),
  ]);
  printTable(sink, ["TIME", "REVISION", "KIND", "API KEY", "CHANGES"], rows);
}

/**
 * `castellan metadata watch`: every change from now on, a line each, until the sandbox has ended or the signal aborts, also while it
 * is paused. Changes of one look at
 * the history come in the order in which they were made.
 */
export async function watchMetadata(
  client: CastellanClient,
  sandboxId: string,
  options: HistoryOutput & { readonly everyMs?: number; readonly signal?: AbortSignal },
): Promise<void> {
  let seen = (await client.metadata.get(sandboxId)).revision;
  const show = async () => {
    const fresh = await changesAfter(client, sandboxId, seen);
    for (const change of fresh) {
      if (options.json) printJsonLine(options.sink, change);
      else options.sink.write(`${lineOf(change)}\n`);
      seen = change.revision;
    }
  };
  await follow(client, sandboxId, show, { ...options, follow: true, alsoPaused: true });
}

/** Oldest first. */
async function changesAfter(client: CastellanClient, sandboxId: string, revision: number): Promise<MetadataChange[]> {
  const found: MetadataChange[] = [];
  for (let before: number | undefined; ; before = found.at(-1)?.revision) {
    const limit = before === undefined ? 20 : pageChanges;
    const query = before === undefined ? { limit } : { limit, before };
    const { changes } = await client.metadata.history(sandboxId, query);
    const fresh = changes.filter((change) => change.revision > revision);
    found.push(...fresh);
    if (fresh.length < limit) return found.reverse();
  }
}

function lineOf({ time, revision, kind, delta }: MetadataChange): string {
  return `${time} ${revision} ${kind === "edited" ? "" : `${kind} `}${printable(deltaText(delta))}`;
}

/** As `metadata set` takes it: key=value, and key- for one that was removed. */
function deltaText(delta: MetadataChange["delta"]): string {
  return Object.entries(delta)
    .map(([key, value]) => (value === null ? `${key}-` : `${key}=${value}`))
    .join(" ");
}
