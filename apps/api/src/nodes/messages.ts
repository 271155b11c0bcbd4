import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type {
  AppliedRevisions as AppliedMessage,
  SandboxManifest,
  SandboxUpdateRequest,
} from "@castellan/contracts/sandbox";
import {
  type SandboxEgressUpdateSchema,
  type SandboxEndTimeUpdateSchema,
  SandboxManifestSchema,
  type SandboxMetadataUpdateSchema,
  SandboxUpdateRequestSchema,
} from "@castellan/contracts/sandbox";
import {
  type AppliedRevisions,
  CastellanError,
  isIsolation,
  type Micros,
  metadataToObject,
  type SandboxRecord,
} from "@castellan/domain";
import type { AdoptedSandbox } from "@castellan/store";

/** The fields that change while a sandbox runs. */
export const liveFields = ["metadata", "endTime", "egress"] as const;
export type LiveFieldName = (typeof liveFields)[number];

/** What a node needs to start the record's execution. `now` is the store's. */
export function manifestOf(record: SandboxRecord, now: Micros): SandboxManifest {
  return create(SandboxManifestSchema, {
    sandboxId: record.sandboxId,
    executionId: record.executionId,
    generation: BigInt(record.generation),
    teamId: record.teamId,
    templateId: record.templateId,
    templateAlias: record.templateAlias ?? "",
    apiKeyId: record.apiKeyId,
    startedAtUs: BigInt(record.startedAt),
    resources: record.resources,
    secure: record.envdAccessToken !== undefined,
    envdAccessToken: record.envdAccessToken ?? "",
    trafficAccessToken: record.trafficAccessToken ?? "",
    envVars: record.envVars,
    lifecycle: record.lifecycle,
    metadata: metadataUpdate(record),
    endTime: endTimeUpdate(record, now),
    egress: egressUpdate(record),
    allowPublicTraffic: record.trafficAccessToken === undefined,
    ...(record.allowInternetAccess === undefined ? {} : { allowInternetAccess: record.allowInternetAccess }),
    envdVersion: record.envdVersion,
    isolation: record.isolation ?? "",
  });
}

/** One field of the record as an update: one that fails then holds no other back. `now` is the store's. */
export function updateOf(
  record: SandboxRecord,
  field: LiveFieldName,
  epoch: number,
  now: Micros,
): SandboxUpdateRequest {
  const address = { epoch: BigInt(epoch), sandboxId: record.sandboxId, executionId: record.executionId };
  switch (field) {
    case "metadata":
      return create(SandboxUpdateRequestSchema, { ...address, metadata: metadataUpdate(record) });
    case "endTime":
      return create(SandboxUpdateRequestSchema, { ...address, endTime: endTimeUpdate(record, now) });
    case "egress":
      return create(SandboxUpdateRequestSchema, { ...address, egress: egressUpdate(record) });
  }
}

export function appliedOf(message: AppliedMessage | undefined): AppliedRevisions {
  return {
    metadata: Number(message?.metadata ?? 0n),
    endTime: Number(message?.endTime ?? 0n),
    egress: Number(message?.egress ?? 0n),
  };
}

/**
 * A node's manifest as the store takes it over.
 * @throws `invalid_argument` on one that lacks what a record needs.
 */
export function adoptedOf(
  manifest: SandboxManifest,
  placed: { readonly nodeId: string; readonly bootId: string; readonly epoch: number },
): AdoptedSandbox {
  const { resources, lifecycle, metadata, endTime, egress } = manifest;
  if (
    !resources ||
    !lifecycle ||
    !metadata ||
    !endTime ||
    !egress ||
    manifest.sandboxId === "" ||
    manifest.teamId === ""
  ) {
    throw new CastellanError("invalid_argument", "The node's manifest is incomplete");
  }
  return {
    sandboxId: manifest.sandboxId,
    executionId: manifest.executionId,
    generation: Number(manifest.generation),
    teamId: manifest.teamId,
    apiKeyId: manifest.apiKeyId,
    templateId: manifest.templateId,
    ...(manifest.templateAlias === "" ? {} : { templateAlias: manifest.templateAlias }),
    resources: { cpuCount: resources.cpuCount, memoryMb: resources.memoryMb, diskMb: resources.diskMb },
    lifecycle: {
      autoPause: lifecycle.autoPause,
      autoPauseMemory: lifecycle.autoPauseMemory,
      autoResume: lifecycle.autoResume,
    },
    envdVersion: manifest.envdVersion,
    ...(manifest.envdAccessToken === "" ? {} : { envdAccessToken: manifest.envdAccessToken }),
    ...(manifest.trafficAccessToken === "" ? {} : { trafficAccessToken: manifest.trafficAccessToken }),
    envVars: Object.fromEntries(Object.entries(manifest.envVars)),
    ...(manifest.allowInternetAccess === undefined ? {} : { allowInternetAccess: manifest.allowInternetAccess }),
    ...(isIsolation(manifest.isolation) ? { isolation: manifest.isolation } : {}),
    startedAt: Number(manifest.startedAtUs),
    metadata: { value: new Map(Object.entries(metadata.entries)), revision: Number(metadata.revision) },
    endTime: { value: Number(endTime.endAtUs), revision: Number(endTime.revision) },
    egress: {
      value: { allowOut: egress.policy?.allowOut ?? [], denyOut: egress.policy?.denyOut ?? [] },
      revision: Number(egress.revision),
    },
    ...placed,
  };
}

/** The name of an enum's value, for the log. */
export function enumName(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, one]) => one === value)?.[0] ?? String(value);
}

function metadataUpdate({ metadata }: SandboxRecord): MessageInitShape<typeof SandboxMetadataUpdateSchema> {
  return { entries: metadataToObject(metadata.value), revision: BigInt(metadata.revision) };
}

function endTimeUpdate({ endTime }: SandboxRecord, now: Micros): MessageInitShape<typeof SandboxEndTimeUpdateSchema> {
  return {
    endAtUs: BigInt(endTime.value),
    remainingMs: BigInt(Math.max(0, Math.ceil((endTime.value - now) / 1000))),
    revision: BigInt(endTime.revision),
  };
}

function egressUpdate({ egress }: SandboxRecord): MessageInitShape<typeof SandboxEgressUpdateSchema> {
  return {
    policy: { allowOut: [...egress.value.allowOut], denyOut: [...egress.value.denyOut] },
    revision: BigInt(egress.revision),
  };
}
