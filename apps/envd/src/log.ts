/** What the daemon logs through: the part of pino's interface that it needs, so a pino logger fits as it is. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Writes one JSON line per event to `write`. Stands in for pino, whose start-up time and memory every sandbox would
 * pay for. An `err` field that holds an error is written as its message, code and stack.
 */
export function jsonLines(write: (line: string) => void): Log {
  const line = (level: number) => (fields: object, message: string) => {
    write(`${JSON.stringify({ level, time: Date.now(), service: "envd", ...fields, msg: message }, readable)}\n`);
  };
  return { info: line(30), warn: line(40), error: line(50) };
}

function readable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const code = "code" in value ? value.code : undefined;
  return { type: value.name, message: value.message, code, stack: value.stack, cause: value.cause };
}
