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
export const historyLimits = { entries: 1_000, bytes: 1024 * 1024, entryBytes: 64 };

/** What an entry counts against the limit: the bytes of its keys and values in UTF-8, and some more. */
export function entryBytes({ delta }: Pick<MetadataHistoryEntry, "delta">): number {
  let bytes = historyLimits.entryBytes;
  for (const [key, value] of delta) bytes += byteLength(key) + (value === null ? 0 : byteLength(value));
  return bytes;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
