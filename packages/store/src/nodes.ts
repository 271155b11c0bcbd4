import type { NodeRecord, NodeTemplate } from "@castellan/domain";
import { list, number, object, optionalNumber, text, textList } from "./decoding.ts";
import { decodeResources } from "./identity.ts";

/** A node as JSON; its lease is kept beside it, because only the store's clock sets it. */
export function encodeNode(node: Omit<NodeRecord, "leaseExpiresAt">): string {
  const { nodeId, bootId, address, gatewayAddress, version, isolation, isolations } = node;
  const { capacity, usage, templates, pauseWithMemory } = node;
  return JSON.stringify({
    v: 1,
    nodeId,
    bootId,
    address,
    gatewayAddress,
    version,
    isolation,
    isolations,
    capacity,
    usage,
    templates,
    pauseWithMemory,
  });
}

/** @throws `internal` when the text is not one that `encodeNode` wrote. */
export function decodeNode(json: string, leaseExpiresAt: number): NodeRecord {
  const fields = object(JSON.parse(json));
  const capacity = object(fields["capacity"]);
  const usage = object(fields["usage"]);
  // Absent in what earlier versions wrote.
  const mayHold = optionalNumber(capacity["sandboxMemoryBytes"]);
  const inUse = optionalNumber(usage["memoryBytes"]);
  const promised = optionalNumber(usage["sandboxMemoryBytes"]);
  return {
    nodeId: text(fields["nodeId"]),
    bootId: text(fields["bootId"]),
    address: text(fields["address"]),
    gatewayAddress: text(fields["gatewayAddress"]),
    version: text(fields["version"]),
    isolation: text(fields["isolation"]),
    // Older nodes offered one.
    isolations: textList(fields["isolations"] ?? [fields["isolation"]]),
    capacity: {
      sandboxes: number(capacity["sandboxes"]),
      cpuCount: number(capacity["cpuCount"]),
      memoryBytes: number(capacity["memoryBytes"]),
      ...(mayHold === undefined ? {} : { sandboxMemoryBytes: mayHold }),
    },
    usage: {
      sandboxes: number(usage["sandboxes"]),
      starting: number(usage["starting"]),
      ...(inUse === undefined ? {} : { memoryBytes: inUse }),
      ...(promised === undefined ? {} : { sandboxMemoryBytes: promised }),
    },
    templates: list(fields["templates"]).map(decodeTemplate),
    pauseWithMemory: fields["pauseWithMemory"] === true,
    leaseExpiresAt,
  };
}

function decodeTemplate(value: unknown): NodeTemplate {
  const fields = object(value);
  return {
    templateId: text(fields["templateId"]),
    aliases: textList(fields["aliases"]),
    resources: decodeResources(fields["resources"]),
    envdVersion: text(fields["envdVersion"]),
  };
}
