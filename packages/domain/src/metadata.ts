import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { CastellanError } from "./errors.ts";

/** A sandbox's tags. A `Map`, because `__proto__` and `constructor` are ordinary keys. */
export type Metadata = ReadonlyMap<string, string>;

/** An edit: a string sets the key, `null` removes it, keys it does not name stay. */
export type MetadataDelta = ReadonlyMap<string, string | null>;

/** Sizes are of the UTF-8 form. */
export const metadataLimits = {
  keys: 256,
  keyBytes: 256,
  valueBytes: 4096,
  /** Keys and values together, after the merge. */
  totalBytes: 65_536,
} as const;

/**
 * Reads the body of a PATCH. `null` and `""` both remove a key.
 * @throws `invalid_argument` when it is not an object, or a key or value is not allowed.
 */
export function parseMetadataDelta(body: unknown): MetadataDelta {
  const delta = new Map<string, string | null>();
  for (const [key, value] of entriesOf(body)) {
    checkKey(key);
    if (value === null || value === "") {
      delta.set(key, null);
    } else {
      delta.set(key, checkValue(key, value));
    }
  }
  return delta;
}

/**
 * Reads the metadata of a create request, where `""` is a value like any other.
 * @throws `invalid_argument`, as for an edit and when the limits on the whole are exceeded.
 */
export function parseMetadata(body: unknown): Metadata {
  const metadata = new Map<string, string>();
  for (const [key, value] of entriesOf(body)) {
    checkKey(key);
    metadata.set(key, checkValue(key, value));
  }
  checkMetadataLimits(metadata);
  return metadata;
}

/** The result of an edit, and whether it differs from what was there. The limits are not checked here. */
export function mergeMetadata(current: Metadata, delta: MetadataDelta): { metadata: Metadata; changed: boolean } {
  const merged = new Map(current);
  let changed = false;
  for (const [key, value] of delta) {
    if (value === null) {
      changed = merged.delete(key) || changed;
    } else if (merged.get(key) !== value) {
      merged.set(key, value);
      changed = true;
    }
  }
  return { metadata: merged, changed };
}

/**
 * The whole rule of an edit: the merge, and the limits on its result. An edit without effect is never refused.
 * @throws `invalid_argument` when the result has too many keys or too many bytes.
 */
export function applyMetadataDelta(current: Metadata, delta: MetadataDelta): { metadata: Metadata; changed: boolean } {
  const result = mergeMetadata(current, delta);
  if (result.changed) checkMetadataLimits(result.metadata);
  return result;
}

/**
 * Own edits over a map that came to light later: own ones win. Of the other entries those stay, in their order, that the
 * limits leave room for.
 */
export function mergeOwnOver(found: Metadata, own: MetadataDelta): Metadata {
  const merged = new Map<string, string>();
  let bytes = 0;
  const add = (key: string, value: string) => {
    merged.set(key, value);
    bytes += utf8Length(key) + utf8Length(value);
  };
  for (const [key, value] of own) {
    if (value !== null) add(key, value);
  }
  for (const [key, value] of found) {
    const fits =
      merged.size < metadataLimits.keys && bytes + utf8Length(key) + utf8Length(value) <= metadataLimits.totalBytes;
    if (!own.has(key) && fits) add(key, value);
  }
  return merged;
}

/** @throws `invalid_argument` when there are too many keys or too many bytes. */
export function checkMetadataLimits(metadata: Metadata): void {
  if (metadata.size > metadataLimits.keys) {
    throw new CastellanError("invalid_argument", tooManyKeys);
  }
  let bytes = 0;
  for (const [key, value] of metadata) {
    bytes += utf8Length(key) + utf8Length(value);
  }
  if (bytes > metadataLimits.totalBytes) {
    throw new CastellanError("invalid_argument", tooManyBytes);
  }
}

/** The messages of the limits on the whole, for the stores that check them in their own atomic step. */
export const tooManyKeys = `Metadata may have at most ${metadataLimits.keys} keys`;
export const tooManyBytes = `Metadata may have at most ${metadataLimits.totalBytes} bytes of keys and values`;

/** Whether both hold the same keys with the same values. */
export function sameMetadata(a: Metadata, b: Metadata): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    if (b.get(key) !== value) return false;
  }
  return true;
}

/**
 * SHA-256 over the canonical form: entries sorted by the UTF-8 bytes of their keys, each string preceded by its length
 * in bytes as 4 bytes, big endian. 32 bytes.
 */
export function metadataHash(metadata: Metadata): Uint8Array {
  const hash = createHash("sha256");
  const entries = [...metadata].map(([key, value]) => [Buffer.from(key), Buffer.from(value)] as const);
  entries.sort(([a], [b]) => Buffer.compare(a, b));
  const length = Buffer.alloc(4);
  for (const entry of entries) {
    for (const part of entry) {
      length.writeUInt32BE(part.length);
      hash.update(length).update(part);
    }
  }
  return hash.digest();
}

/** As a plain object for JSON. `Object.fromEntries` defines properties, so that `__proto__` stays a key. */
export function metadataToObject<Value extends string | null>(
  metadata: ReadonlyMap<string, Value>,
): Record<string, Value> {
  return Object.fromEntries(metadata);
}

function entriesOf(body: unknown): [string, unknown][] {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new CastellanError("invalid_argument", "Metadata must be a JSON object of strings");
  }
  return Object.entries(body);
}

function checkKey(key: string): void {
  if (key === "") {
    throw new CastellanError("invalid_argument", "A metadata key must not be empty");
  }
  if (!key.isWellFormed()) {
    throw new CastellanError("invalid_argument", "A metadata key has a lone surrogate");
  }
  if (utf8Length(key) > metadataLimits.keyBytes) {
    throw new CastellanError("invalid_argument", `A metadata key may have at most ${metadataLimits.keyBytes} bytes`);
  }
}

function checkValue(key: string, value: unknown): string {
  if (typeof value !== "string") {
    throw new CastellanError(
      "invalid_argument",
      `The metadata value of ${JSON.stringify(key)} must be a string or null`,
    );
  }
  if (!value.isWellFormed()) {
    throw new CastellanError("invalid_argument", `The metadata value of ${JSON.stringify(key)} has a lone surrogate`);
  }
  if (utf8Length(value) > metadataLimits.valueBytes) {
    throw new CastellanError(
      "invalid_argument",
      `The metadata value of ${JSON.stringify(key)} may have at most ${metadataLimits.valueBytes} bytes`,
    );
  }
  return value;
}

function utf8Length(text: string): number {
  return Buffer.byteLength(text, "utf8");
}
