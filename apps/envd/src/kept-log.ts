import type { IncomingMessage } from "node:http";
import { HttpError } from "./http.ts";
import type { Log } from "./log.ts";
import { bearerToken, hasHash } from "./secrets.ts";

/** A line as the node gets it. */
export interface KeptLine {
  /** Counts up by one from line to line. */
  readonly sequence: number;
  readonly timeMs: number;
  readonly level: "info" | "warn" | "error";
  /** The part of the daemon that it is about. */
  readonly logger: "process" | "daemon";
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/**
 * The daemon's newest lines, in bounded memory, for the node to fetch: the sandbox's standard streams lead nowhere. What
 * the sandbox's owner may read is a list of field names, because a new field that somebody logs could hold anything.
 */
export class KeptLog implements Log {
  /** Says which daemon's count a sequence belongs to. */
  readonly boot: string = globalThis.crypto.randomUUID();
  readonly #lines: KeptLine[] = [];
  #next = 1;

  info(fields: object, message: string): void {
    this.#keep("info", fields, message);
  }

  warn(fields: object, message: string): void {
    this.#keep("warn", fields, message);
  }

  error(fields: object, message: string): void {
    this.#keep("error", fields, message);
  }

  /** The lines after a sequence, and how many of those are no longer there. */
  after(sequence: number): { readonly dropped: number; readonly entries: readonly KeptLine[] } {
    const entries = this.#lines.filter((line) => line.sequence > sequence);
    const first = entries[0]?.sequence ?? this.#next;
    return { dropped: Math.max(0, first - sequence - 1), entries };
  }

  #keep(level: KeptLine["level"], fields: object, message: string): void {
    const sequence = this.#next++;
    const logger = message.startsWith("process") ? "process" : "daemon";
    this.#lines.push({ sequence, timeMs: Date.now(), level, logger, message, fields: shown(fields) });
    if (this.#lines.length > maxLines) this.#lines.splice(0, maxLines / 4);
  }
}

/** Of some 200 bytes each. */
const maxLines = 2_000;
const maxTextLength = 128;
const shownFields = ["pid", "user", "program", "status", "ms", "terminal", "method", "path", "port", "version"];

function shown(fields: object): Record<string, string | number | boolean> {
  const picked: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!shownFields.includes(name)) continue;
    if (typeof value === "string") picked[name] = value.slice(0, maxTextLength);
    else if (typeof value === "number" || typeof value === "boolean") picked[name] = value;
  }
  return picked;
}

/** Logs to both. */
export function both(one: Log, other: Log): Log {
  const to = (level: keyof Log) => (fields: object, message: string) => {
    one[level](fields, message);
    other[level](fields, message);
  };
  return { info: to("info"), warn: to("warn"), error: to("error") };
}

/**
 * `GET /logs?boot=…&after=<sequence>`: the lines after those that the node has, all of them for another boot than this
 * one. Only the node may read them: the request carries a secret of which the daemon knows no more than the hash.
 *
 * @throws HttpError 403 when the daemon was started without a hash, 401 for a wrong secret.
 */
export function tellLog(
  request: IncomingMessage,
  query: URLSearchParams,
  secretHash: Uint8Array | undefined,
  log: KeptLog,
): object {
  if (!secretHash) throw new HttpError(403, "this daemon tells no log");
  if (!hasHash(secretHash, bearerToken(request.headers.authorization)))
    throw new HttpError(401, "only the node may read the log");
  const after = query.get("boot") === log.boot ? Number(query.get("after")) : 0;
  return { boot: log.boot, ...log.after(Number.isSafeInteger(after) ? Math.max(0, after) : 0) };
}
