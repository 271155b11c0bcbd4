import type { MetadataChangeKind } from "@castellan/domain";
import { malformed } from "./decoding.ts";

const kinds: readonly MetadataChangeKind[] = ["created", "edited", "adopted", "merged"];

/** @throws `internal` for anything else. */
export function decodeChangeKind(value: unknown): MetadataChangeKind {
  const kind = kinds.find((one) => one === value);
  if (kind === undefined) throw malformed("a kind of change", value);
  return kind;
}
