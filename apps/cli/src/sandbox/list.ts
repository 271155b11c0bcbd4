import type { CastellanClient } from "@castellan/client";
import type { components } from "@castellan/contracts/openapi";
import type { Metadata } from "@castellan/domain";
import { Failure } from "../failure.ts";
import { printJson, printTable, type ResultSink } from "../terminal/table.ts";

type ListedSandbox = components["schemas"]["ListedSandbox"];

const pageSize = 100;
/** A million sandboxes; a service that goes on after that repeats itself. */
const maxPages = 10_000;

/** `castellan sandbox ls`: newest first, only those with all of these tags. */
export async function listSandboxes(
  { api }: CastellanClient,
  filter: Metadata,
  options: { readonly json: boolean; readonly sink: ResultSink; readonly now?: Date },
): Promise<void> {
  const sandboxes: ListedSandbox[] = [];
  let nextToken: string | undefined;
  for (let page = 0; ; page += 1) {
    if (page === maxPages) throw new Failure("The list of sandboxes has no end.");
    const query = {
      limit: pageSize,
      ...(filter.size === 0 ? {} : { metadata: encodeFilter(filter) }),
      ...(nextToken === undefined ? {} : { nextToken }),
    };
    const { data = [], response } = await api.GET("/v2/sandboxes", { params: { query } });
    sandboxes.push(...data);
    nextToken = response.headers.get("X-Next-Token") ?? undefined;
    if (nextToken === undefined) break;
  }
  if (options.json) {
    printJson(options.sink, sandboxes);
    return;
  }
  const now = options.now ?? new Date();
  const remaining = (sandbox: ListedSandbox) =>
    sandbox.state === "running" ? duration(new Date(sandbox.endAt).getTime() - now.getTime()) : "-";
  const age = (sandbox: ListedSandbox) => duration(now.getTime() - new Date(sandbox.startedAt).getTime());
  // A terminal is for people, who count; a pipe is for programs, which want the instant.
  const rows = sandboxes.map((sandbox) => [
    sandbox.sandboxID,
    sandbox.alias ?? sandbox.templateID,
    sandbox.state,
    options.sink.isTTY === true ? age(sandbox) : sandbox.startedAt,
    options.sink.isTTY === true ? remaining(sandbox) : sandbox.endAt,
    JSON.stringify(sandbox.metadata ?? {}),
  ]);
  printTable(options.sink, ["ID", "TEMPLATE", "STATE", "AGE", "ENDS IN", "METADATA"], rows);
}

/** As the API reads it: keys and values encoded, and the whole once more, before the URL's own encoding. */
function encodeFilter(filter: Metadata): string {
  const pairs = [...filter].map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  return encodeURIComponent(pairs.join("&"));
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return `${Math.floor(seconds / 3600)}h`;
}
