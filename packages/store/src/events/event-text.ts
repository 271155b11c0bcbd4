import {
  type EventId,
  endCauses,
  type LifecycleChange,
  type LifecycleEvent,
  lifecycleEventTypes,
  type MetadataDelta,
} from "@castellan/domain";
import { decimal, malformed, text } from "../decoding.ts";
import { decodeEgress, encodeEgress } from "../identity.ts";
import { escapeText, metadataText, parseMetadataText } from "../metadata-text.ts";

/**
 * How both stores keep an event: these lines, then the metadata or the delta as lines of their own (see
 * metadata-text.ts; in a delta a value has `=` before it, and `-` alone removes the key). Redis puts the same text
 * together in Lua.
 *
 *     version · type · sandbox · execution · template as JSON · API key as JSON or nothing · time · revision of the
 *     metadata · start of the execution · what: the field of an update, or the cause of a kill · value
 */
export function eventText(event: Omit<LifecycleEvent, "id" | "teamId">): string {
  const { change } = event;
  return [
    "1",
    event.type,
    event.sandboxId,
    event.executionId,
    JSON.stringify(event.templateId),
    event.apiKeyId === undefined ? "" : JSON.stringify(event.apiKeyId),
    event.at,
    event.revision,
    event.startedAt,
    change?.field ?? event.cause ?? "",
    valueText(event),
    change?.field === "metadata" ? deltaText(change.delta) : metadataText(event.metadata ?? new Map()),
  ].join("\n");
}

/** The reverse of `eventText`. @throws `internal` for anything else. */
export function parseEventText(teamId: string, id: EventId, stored: string): LifecycleEvent {
  const lines: string[] = [];
  let start = 0;
  while (lines.length < 11) {
    const end = stored.indexOf("\n", start);
    if (end < 0) throw malformed("an event", stored);
    lines.push(stored.slice(start, end));
    start = end + 1;
  }
  const [, typeName, sandboxId = "", executionId = "", template = "", apiKey = "", at, revision, startedAt] = lines;
  const [what = "", value = ""] = lines.slice(9);
  const type = lifecycleEventTypes.find((known) => known === typeName);
  if (type === undefined) throw malformed("an event's type", typeName);
  const rest = stored.slice(start);
  const change = type === "updated" ? readChange(what, value, rest) : undefined;
  const cause = type === "killed" ? (endCauses.find((known) => known === what) ?? "unknown") : undefined;
  const [cpuCount, memoryMb] = type === "killed" || type === "paused" ? value.split(" ").map(Number) : [];
  return {
    id,
    type,
    teamId,
    sandboxId,
    executionId,
    templateId: text(JSON.parse(template)),
    ...(apiKey !== "" && { apiKeyId: text(JSON.parse(apiKey)) }),
    at: decimal(at),
    revision: decimal(revision),
    startedAt: decimal(startedAt),
    ...((change === undefined || change.field === "found") && { metadata: parseMetadataText(rest) }),
    ...(change !== undefined && { change }),
    ...(cause !== undefined && { cause }),
    ...(cpuCount !== undefined && memoryMb !== undefined && { resources: { cpuCount, memoryMb } }),
  };
}

function valueText({ change, resources }: Omit<LifecycleEvent, "id" | "teamId">): string {
  if (change?.field === "endTime") return String(change.value);
  if (change?.field === "egress") return encodeEgress(change.value);
  return resources === undefined ? "" : `${resources.cpuCount} ${resources.memoryMb}`;
}

function deltaText(delta: MetadataDelta): string {
  let lines = "";
  for (const [key, value] of delta) lines += `${escapeText(key)}\t${value === null ? "-" : `=${escapeText(value)}`}\n`;
  return lines;
}

function readChange(field: string, value: string, rest: string): LifecycleChange {
  switch (field) {
    case "metadata":
      return { field, delta: readDelta(rest) };
    case "endTime":
      return { field, value: decimal(value) };
    case "egress":
      return { field, value: decodeEgress(value) };
    case "found":
      return { field };
    default:
      throw malformed("what an update is about", field);
  }
}

function readDelta(lines: string): MetadataDelta {
  const entries = [...parseMetadataText(lines)];
  return new Map(entries.map(([key, edit]) => [key, edit === "-" ? null : edit.slice(1)]));
}
