import { createHash } from "node:crypto";
import { CastellanError } from "./errors.ts";
import type { MetadataDelta } from "./metadata.ts";
import type { Revision } from "./revision.ts";

/** What a store keeps of a command with an idempotency key: hashes in hex, so that both are short whatever is sent. */
export interface Idempotency {
  readonly key: string;
  readonly content: string;
}

/**
 * Of an edit of metadata. Content is the same when the same keys get the same values under the same condition; the order
 * of the body's members plays no part.
 * @throws `invalid_argument` unless the key is 1 to 255 printable characters of ASCII.
 */
export function editIdempotency(key: string, delta: MetadataDelta, ifMatch: Revision | undefined): Idempotency {
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new CastellanError("invalid_argument", "Idempotency-Key must be 1 to 255 printable ASCII characters");
  }
  const members = [...delta].sort(([a], [b]) => (a < b ? -1 : 1));
  return { key: sha256(key), content: sha256(JSON.stringify([ifMatch ?? null, members])) };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
