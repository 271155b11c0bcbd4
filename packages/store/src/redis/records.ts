import type { SandboxRecord } from "@castellan/domain";
import { CastellanError } from "@castellan/domain";
import { decimal, list, malformed, text } from "../decoding.ts";
import { decodeEgress, decodeIdentity } from "../identity.ts";
import { parseMetadataText } from "../metadata-text.ts";
import { decodeState } from "../states.ts";
import type { RedisConnection } from "./connection.ts";
import type { KnownIdentity } from "./identity-cache.ts";
import { beforeMetadata, type RecordField, recordFields } from "./record-fields.ts";

/**
 * A record as the scripts answer it: what never changes (nothing if it is of the making that the caller named), the record.
 */
export function decodeRecord(connection: RedisConnection, answer: unknown, known?: KnownIdentity): SandboxRecord {
  const [json, stored] = list(answer);
  const record = text(stored);
  const cut = record.indexOf(`${beforeMetadata}\n`);
  if (cut < 0) throw malformed("a record", stored);
  const fields = record.slice(0, cut).split("\n");
  const field = (position: Position): string => fields[position.at] ?? position.before;
  const number = (position: Position): number => decimal(field(position));
  const stateDeadline = field(at.deadline);
  const bootId = field(at.boot);
  const stamp = field(at.epoch);
  const partly = stamp.endsWith("~");
  const [revision, endRevision, egressRevision] = [number(at.mrev), number(at.erev), number(at.grev)];
  connection.observe(revision, endRevision, egressRevision);
  const identity = known && json === null ? known.identity : decodeIdentity(text(json));
  if (json !== null) connection.identities.keep(field(at.made), identity, text(json).length);
  return {
    ...identity,
    state: decodeState(field(at.state)),
    ...(stateDeadline !== "" && { stateDeadline: decimal(stateDeadline) }),
    executionId: field(at.exec),
    generation: number(at.gen),
    nodeId: field(at.node),
    startedAt: number(at.started),
    metadata: { value: parseMetadataText(record.slice(cut + 3)), revision, applied: number(at.mapp) },
    endTime: { value: number(at.end), revision: endRevision, applied: number(at.eapp) },
    egress: { value: decodeEgress(field(at.egress)), revision: egressRevision, applied: number(at.gapp) },
    epoch: decimal(partly ? stamp.slice(0, -1) : stamp),
    fullyVerified: !partly,
    ...(bootId !== "" && { bootId }),
  };
}

interface Position {
  readonly at: number;
  readonly before: string;
}

function position(name: RecordField): Position {
  const at = recordFields.findIndex((field) => field.name === name);
  return { at, before: recordFields[at]?.before ?? "" };
}

const at = {
  state: position("state"),
  deadline: position("deadline"),
  exec: position("exec"),
  gen: position("gen"),
  node: position("node"),
  started: position("started"),
  end: position("end"),
  erev: position("erev"),
  eapp: position("eapp"),
  mrev: position("mrev"),
  mapp: position("mapp"),
  egress: position("egress"),
  grev: position("grev"),
  gapp: position("gapp"),
  epoch: position("epoch"),
  boot: position("boot"),
  made: position("made"),
};

/** Ids stand on lines of a record. @throws `invalid_argument` */
export function checkOneLine(...ids: readonly string[]): void {
  if (ids.some((id) => /[\n\t]/.test(id))) {
    throw new CastellanError("invalid_argument", "An id has a line break or a tab");
  }
}

/** The error for an answer that no version of the scripts gives. */
export function unexpected(answer: readonly unknown[]): CastellanError {
  return new CastellanError("internal", "The store failed", { cause: new Error(`unexpected answer ${answer[0]}`) });
}
