import { printable } from "./printable.ts";

/** Where results go. A terminal gets an aligned table with a heading, a pipe gets one tab-separated line per row. */
export interface ResultSink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Prints rows; every cell becomes one harmless line. `heading` appears only on a terminal. */
export function printTable(sink: ResultSink, heading: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = rows.map((row) => row.map(printable));
  if (sink.isTTY !== true) {
    for (const row of cells) sink.write(`${row.join("\t")}\n`);
    return;
  }
  const lines = [heading, ...cells];
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => width(line[column]))));
  for (const line of lines) {
    const padded = line.map((cell, column) =>
      column === line.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - width(cell)),
    );
    sink.write(`${padded.join("  ")}\n`);
  }
}

/** Prints a value as indented JSON. `JSON.stringify` leaves some steering characters alone, so they become escapes. */
export function printJson(sink: ResultSink, value: unknown): void {
  sink.write(`${harmless(JSON.stringify(value, null, 2))}\n`);
}

/** Prints a value as JSON on one line, as harmless. */
export function printJsonLine(sink: ResultSink, value: unknown): void {
  sink.write(`${harmless(JSON.stringify(value))}\n`);
}

function harmless(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function width(cell: string | undefined): number {
  return [...(cell ?? "")].length;
}
