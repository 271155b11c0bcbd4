import { Buffer } from "node:buffer";
import type { Metadata } from "@castellan/domain";
import { malformed } from "./decoding.ts";

/**
 * Metadata as it stands in a record: one line per entry, key, tab, value, so that a script finds an entry with one plain
 * search. Line breaks, tabs and backslashes inside are escaped, and the scripts work on the escaped form only.
 */
export function metadataText(metadata: Metadata): string {
  let lines = "";
  for (const [key, value] of metadata) lines += `${escapeText(key)}\t${escapeText(value)}\n`;
  return lines;
}

/** The reverse of `metadataText`. @throws `internal` for anything else. */
export function parseMetadataText(lines: string): Map<string, string> {
  const metadata = new Map<string, string>();
  let start = 0;
  while (start < lines.length) {
    const tab = lines.indexOf("\t", start);
    const end = lines.indexOf("\n", start);
    if (tab < 0 || end < tab) throw malformed("metadata", lines);
    metadata.set(unescapeText(lines.slice(start, tab)), unescapeText(lines.slice(tab + 1, end)));
    start = end + 1;
  }
  return metadata;
}

/** Bytes of keys and values in UTF-8, which the scripts keep count of. */
export function metadataBytes(metadata: Metadata): number {
  let bytes = 0;
  for (const [key, value] of metadata) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  return bytes;
}

export function escapeText(text: string): string {
  return /[\\\n\t]/.test(text) ? text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t") : text;
}

function unescapeText(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped === "t" ? "\t" : escaped));
}
