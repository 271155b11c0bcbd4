import { Buffer } from "node:buffer";
import {
  type EgressPolicy,
  isIsolation,
  type Metadata,
  type SandboxIdentity,
  type SandboxResources,
} from "@castellan/domain";
import { list, number, object, optionalText, text, textList } from "./decoding.ts";

/**
 * Both stores keep what never changes about a sandbox as one JSON text with a schema version. Fields that this version
 * does not know are ignored, so that a newer one may add some; an older text is upgraded as it is read.
 */
const identityVersion = 1;

export function encodeIdentity(sandbox: SandboxIdentity): string {
  return JSON.stringify({
    v: identityVersion,
    sandboxId: sandbox.sandboxId,
    teamId: sandbox.teamId,
    apiKeyId: sandbox.apiKeyId,
    templateId: sandbox.templateId,
    templateAlias: sandbox.templateAlias,
    resources: sandbox.resources,
    lifecycle: sandbox.lifecycle,
    envdVersion: sandbox.envdVersion,
    envdAccessToken: sandbox.envdAccessToken,
    trafficAccessToken: sandbox.trafficAccessToken,
    envVars: flat(Object.entries(sandbox.envVars)),
    allowInternetAccess: sandbox.allowInternetAccess,
    isolation: sandbox.isolation,
  });
}

/** @throws `internal` when the text is not one that this or an older version wrote. */
export function decodeIdentity(json: string): SandboxIdentity {
  const fields = object(JSON.parse(json));
  const lifecycle = object(fields["lifecycle"] ?? {});
  const templateAlias = optionalText(fields["templateAlias"]);
  const envdAccessToken = optionalText(fields["envdAccessToken"]);
  const trafficAccessToken = optionalText(fields["trafficAccessToken"]);
  const allowInternetAccess = fields["allowInternetAccess"];
  const isolation = fields["isolation"];
  return {
    sandboxId: text(fields["sandboxId"]),
    teamId: text(fields["teamId"]),
    apiKeyId: text(fields["apiKeyId"]),
    templateId: text(fields["templateId"]),
    ...(templateAlias !== undefined && { templateAlias }),
    resources: decodeResources(fields["resources"]),
    lifecycle: {
      autoPause: lifecycle["autoPause"] === true,
      // Version 0 had no such field, and paused with memory.
      autoPauseMemory: lifecycle["autoPauseMemory"] !== false,
      autoResume: lifecycle["autoResume"] === true,
    },
    envdVersion: text(fields["envdVersion"]),
    ...(envdAccessToken !== undefined && { envdAccessToken }),
    ...(trafficAccessToken !== undefined && { trafficAccessToken }),
    // Version 0 had none.
    envVars: Object.fromEntries(pairs(fields["envVars"] ?? [])),
    ...(typeof allowInternetAccess === "boolean" && { allowInternetAccess }),
    ...(isIsolation(isolation) && { isolation }),
  };
}

/** The labels by which a sandbox is found: its tags, its template and its template's alias. */
export function labelsOf(metadata: Metadata, templateId: string, templateAlias: string | undefined): string[] {
  const labels = [...metadata].map(([key, value]) => tagLabel(key, value));
  labels.push(templateLabel(templateId));
  if (templateAlias !== undefined && templateAlias !== templateId) labels.push(templateLabel(templateAlias));
  return labels;
}

/** The first letter keeps tags and templates apart, the key's length two tags whose texts join to the same. */
export function tagLabel(key: string, value: string): string {
  return `m${Buffer.byteLength(key)}:${key}${value}`;
}

export function templateLabel(idOrAlias: string): string {
  return `t${idOrAlias}`;
}

/**
 * Names and values in turn, `[name, value, name, value, …]`: in this form they are values to `JSON.parse`, which reads
 * some keys wrongly (see `parseJson` of the domain), and nothing has to be said about `__proto__`.
 */
export function flat(entries: Iterable<readonly [string, string]>): string[] {
  return [...entries].flat();
}

/** The pairs in a flat list. @throws `internal` when it is not one of texts. */
export function pairs(value: unknown): [string, string][] {
  const texts = list(value);
  const entries: [string, string][] = [];
  for (let i = 0; i < texts.length; i += 2) entries.push([text(texts[i]), text(texts[i + 1])]);
  return entries;
}

export function encodeEgress(policy: EgressPolicy): string {
  const { allowOut, denyOut, allowInternetAccess } = policy;
  return JSON.stringify({ allowOut, denyOut, allowInternetAccess });
}

export function decodeEgress(json: string): EgressPolicy {
  const fields = object(JSON.parse(json));
  const { allowInternetAccess } = fields;
  return {
    allowOut: textList(fields["allowOut"] ?? []),
    denyOut: textList(fields["denyOut"] ?? []),
    ...(typeof allowInternetAccess === "boolean" && { allowInternetAccess }),
  };
}

export function decodeResources(value: unknown): SandboxResources {
  const fields = object(value);
  return {
    cpuCount: number(fields["cpuCount"]),
    memoryMb: number(fields["memoryMb"]),
    diskMb: number(fields["diskMb"]),
  };
}
