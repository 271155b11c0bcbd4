import type { Metadata, SandboxRecord } from "@castellan/domain";
import { CastellanError } from "@castellan/domain";
import { decimal, list, malformed, text } from "../decoding.ts";
import { decodeEgress, decodeIdentity } from "../identity.ts";
import { decodeState } from "../states.ts";
import type { RedisConnection } from "./connection.ts";

/**
 * A record as the scripts' `read` answers it: what never changes, the fields, the metadata. A field that an older version
 * did not write has its value of then.
 */
export function decodeRecord(connection: RedisConnection, answer: unknown): SandboxRecord {
  const [identity, fields, metadata] = list(answer);
  const field = textMap(fields);
  const required = (name: string): string => field.get(name) ?? missing(name);
  const revision = (name: string): number => decimal(field.get(name) ?? "0");
  const stateDeadline = field.get("deadline");
  const bootId = field.get("boot");
  const metadataRevision = decimal(required("mrev"));
  connection.observe(metadataRevision);
  return {
    ...decodeIdentity(text(identity)),
    state: decodeState(required("state")),
    ...(stateDeadline !== undefined && { stateDeadline: decimal(stateDeadline) }),
    executionId: required("exec"),
    generation: decimal(field.get("gen") ?? "1"),
    nodeId: required("node"),
    startedAt: decimal(required("started")),
    metadata: { value: textMap(metadata), revision: metadataRevision, applied: revision("mapp") },
    endTime: { value: decimal(required("end")), revision: revision("erev"), applied: revision("eapp") },
    egress: {
      // Version 0 had no egress rules: everything was open.
      value: decodeEgress(field.get("egress") ?? "{}"),
      revision: revision("grev"),
      applied: revision("gapp"),
    },
    epoch: revision("epoch"),
    ...(bootId !== undefined && { bootId }),
  };
}

export function flatMetadata(metadata: Metadata): string[] {
  return [...metadata].flat();
}

/** Bytes of keys and values in UTF-8, which the scripts keep count of. */
export function metadataBytes(metadata: Metadata): number {
  return flatMetadata(metadata).reduce((sum, part) => sum + Buffer.byteLength(part), 0);
}

function textMap(answer: unknown): Map<string, string> {
  const flat = list(answer);
  const map = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) map.set(text(flat[i]), text(flat[i + 1]));
  return map;
}

function missing(name: string): never {
  throw malformed(`the field ${name}`, undefined);
}

/** The error for an answer that no version of the scripts gives. */
export function unexpected(answer: readonly unknown[]): CastellanError {
  return new CastellanError("internal", "The store failed", { cause: new Error(`unexpected answer ${answer[0]}`) });
}
