import type { MetadataDelta } from "./metadata.ts";
import type { Micros, Revision } from "./revision.ts";

/** Why a sandbox's metadata became what it is. */
export type MetadataChangeKind =
  /** With the sandbox: the delta is all of it. */
  | "created"
  /** By a request. */
  | "edited"
  /** Taken over from what its node held, after the store had lost something. */
  | "adopted"
  /** What its node held, with the edits over it that the store had taken meanwhile. */
  | "merged";

export interface MetadataHistoryEntry {
  readonly revision: Revision;
  /** When it was committed, by the store's clock. */
  readonly at: Micros;
  readonly kind: MetadataChangeKind;
  /** Effective changes only. */
  readonly delta: MetadataDelta;
  /** Whose request it was; absent where it was none. */
  readonly apiKeyId?: string;
}

/** What is kept of one sandbox's history; the older part goes. */
export const historyLimits = { entries: 1_000, bytes: 1024 * 1024 };

/**
 * The part of a history, newest first, that is within the limits. An entry counts with the bytes of its keys and values in
 * UTF-8 and 64 more; the newest entry is always there.
 */
export function withinHistory(entries: readonly MetadataHistoryEntry[]): readonly MetadataHistoryEntry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, index) => {
    bytes += entryBytes(entry);
    return index >= historyLimits.entries || (bytes > historyLimits.bytes && index > 0);
  });
  return end < 0 ? entries : entries.slice(0, end);
}

function entryBytes({ delta }: MetadataHistoryEntry): number {
  let bytes = 64;
  for (const [key, value] of delta) bytes += byteLength(key) + (value === null ? 0 : byteLength(value));
  return bytes;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
