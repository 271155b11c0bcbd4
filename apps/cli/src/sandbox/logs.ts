import type { CastellanClient } from "@castellan/client";
import type { components } from "@castellan/contracts/openapi";
import { Failure } from "../failure.ts";
import { printable } from "../terminal/printable.ts";
import type { ResultSink } from "../terminal/table.ts";
import { follow } from "./following.ts";

type Entry = components["schemas"]["SandboxLogEntry"];
type Level = components["schemas"]["LogLevel"];

const levels: readonly Level[] = ["debug", "info", "warn", "error"];
/** Of one answer. */
const pageLines = 1_000;

/** @throws Failure for a word that is no level. */
export function logLevel(text: string | undefined): Level {
  const level = levels.find((name) => name === (text ?? "info").toLowerCase());
  if (level === undefined) throw new Failure(`--level must be one of ${levels.join(", ")}.`);
  return level;
}

/** `castellan sandbox logs`: what its node and its daemon say about a sandbox, oldest first, a line each. */
export async function showLogs(
  client: CastellanClient,
  sandboxId: string,
  options: {
    readonly level: Level;
    readonly follow: boolean;
    readonly json: boolean;
    readonly sink: ResultSink;
    readonly everyMs?: number;
  },
): Promise<void> {
  let cursor = 0;
  const show = async () => {
    for (;;) {
      const query = { cursor, direction: "forward" as const, level: options.level, limit: pageLines };
      const params = { path: { sandboxID: sandboxId }, query };
      const { data } = await client.api.GET("/v2/sandboxes/{sandboxID}/logs", { params });
      const entries = data?.logs ?? [];
      for (const entry of entries) {
        options.sink.write(`${options.json ? JSON.stringify(entry) : textOf(entry)}\n`);
        // No two lines of a sandbox have the same time.
        cursor = Date.parse(entry.timestamp) + 1;
      }
      if (entries.length < pageLines) return;
    }
  };
  await follow(client, sandboxId, show, options);
}

function textOf({ timestamp, level, message, fields: { logger = "", ...fields } }: Entry): string {
  const more = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
  return printable(`${timestamp} ${level.toUpperCase().padEnd(5)} ${logger}: ${message}${more.join("")}`);
}
