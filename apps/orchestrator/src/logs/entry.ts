import { z } from "zod";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** A line of a sandbox's log. */
export interface LogEntry {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly level: LogLevel;
  /** Who says it: `node`, or a part of the daemon. */
  readonly logger: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Where the daemon keeps the line, for one that it told. */
  readonly told?: DaemonPosition;
}

/** A place in the log of one daemon. */
export interface DaemonPosition {
  /** New whenever a daemon begins to count. */
  readonly boot: string;
  readonly sequence: number;
}

/** What is longer is cut: most of it comes from inside the sandbox. */
const limits = { logger: 32, message: 512, fields: 12, name: 64, value: 256 };

const cut = (length: number) => z.string().transform((text) => text.slice(0, length).toWellFormed());

/** A line as the daemon tells it. Numbers and flags in `fields` become text, everything else is left out. */
export const toldEntrySchema = z.object({
  timeMs: z.number().min(0).max(8.64e15),
  level: z.enum(logLevels),
  logger: cut(limits.logger),
  message: cut(limits.message),
  fields: z.record(z.string(), z.unknown()).transform(readableFields),
});

function readableFields(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  const readable = Object.entries(fields).flatMap(([name, value]) =>
    ["string", "number", "boolean"].includes(typeof value)
      ? [[name.slice(0, limits.name).toWellFormed(), String(value).slice(0, limits.value).toWellFormed()] as const]
      : [],
  );
  return Object.fromEntries(readable.slice(0, limits.fields));
}

const lineSchema = z.object({
  t: z.number(),
  l: z.enum(logLevels),
  w: z.string(),
  m: z.string(),
  f: z.record(z.string(), z.string()),
  d: z.tuple([z.string(), z.number()]).optional(),
});

export function encodeEntry({ timeMs, level, logger, message, fields, told }: LogEntry): string {
  const d = told === undefined ? undefined : [told.boot, told.sequence];
  return `${JSON.stringify({ t: timeMs, l: level, w: logger, m: message, f: fields, d })}\n`;
}

/** `undefined` for a line that a crash has torn. */
export function decodeEntry(line: string): LogEntry | undefined {
  try {
    const { t, l, w, m, f, d } = lineSchema.parse(JSON.parse(line));
    const told = d === undefined ? {} : { told: { boot: d[0], sequence: d[1] } };
    return { timeMs: t, level: l, logger: w, message: m, fields: f, ...told };
  } catch {
    return undefined;
  }
}
