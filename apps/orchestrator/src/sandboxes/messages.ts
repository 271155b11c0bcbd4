import { clone, create } from "@bufbuild/protobuf";
import {
  type AppliedRevisions,
  AppliedRevisionsSchema,
  DeletionCause,
  type SandboxEgressUpdate,
  SandboxEgressUpdateSchema,
  type SandboxEndTimeUpdate,
  SandboxEndTimeUpdateSchema,
  type SandboxManifest,
  SandboxManifestSchema,
  type SandboxMetadataUpdate,
  SandboxMetadataUpdateSchema,
  type SandboxUpdateRequest,
} from "@castellan/contracts/sandbox";
import {
  CastellanError,
  checkMetadataLimits,
  type EgressPolicy,
  type Epoch,
  type Metadata,
  metadataToObject,
  parseEgressPolicy,
  type SandboxResources,
} from "@castellan/domain";
import type { Held, HeldEndTime, HeldSandbox } from "../state/node-state.ts";
import type { DeletionCauseName, LiveRecord } from "../state/records.ts";

/** An end time as it arrived. */
export interface IncomingEndTime extends HeldEndTime {
  /** On the monotonic clock, as `performance.now()`. */
  readonly deadline: number;
}

/** Live fields as they arrived; absent means "do not touch". */
export interface IncomingFields {
  readonly metadata?: Held<Metadata>;
  readonly endTime?: Held<IncomingEndTime>;
  readonly egress?: Held<EgressPolicy>;
}

/** One `SandboxUpdateRequest`, checked. */
export interface LiveUpdate {
  readonly epoch: Epoch;
  readonly sandboxId: string;
  readonly executionId: string;
  readonly fields: IncomingFields;
}

/** A `SandboxCreateRequest`'s manifest, checked. */
export interface StartOrder {
  readonly sandboxId: string;
  readonly executionId: string;
  readonly generation: number;
  readonly resources: SandboxResources;
  readonly seeds: IncomingFields;
  readonly manifest: SandboxManifest;
}

/** @throws `invalid_argument` */
export function readUpdate(request: SandboxUpdateRequest): LiveUpdate {
  return {
    epoch: readNumber(request.epoch, "epoch"),
    sandboxId: request.sandboxId,
    executionId: request.executionId,
    fields: readFields(request),
  };
}

/** @throws `invalid_argument` */
export function readStartOrder(manifest: SandboxManifest | undefined): StartOrder {
  if (manifest === undefined) throw invalid("A manifest is needed");
  const { sandboxId, executionId, resources } = manifest;
  if (!/^[a-z0-9]{1,64}$/.test(sandboxId)) throw invalid("The sandbox id must be 1 to 64 of a-z and 0-9");
  if (!/^[a-z0-9]{1,64}$/.test(executionId)) throw invalid("The execution id must be 1 to 64 of a-z and 0-9");
  if (resources === undefined) throw invalid("The manifest needs resources");
  return {
    sandboxId,
    executionId,
    generation: readNumber(manifest.generation, "generation"),
    resources: { cpuCount: resources.cpuCount, memoryMb: resources.memoryMb, diskMb: resources.diskMb },
    seeds: readFields(manifest),
    manifest,
  };
}

/** Whole numbers up to 2⁵³ − 1: epochs, revisions and times are exact in a double. @throws `invalid_argument` */
export function readNumber(value: bigint, name: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`The ${name} is out of range`);
  return Number(value);
}

/**
 * The manifest with the live fields as they are now.
 * @param deadline of the end time, on the monotonic clock.
 */
export function liveManifest(manifest: SandboxManifest, held: HeldSandbox, deadline: number): SandboxManifest {
  const { metadata, endTime, egress } = held;
  const live = clone(SandboxManifestSchema, manifest);
  live.metadata = create(SandboxMetadataUpdateSchema, {
    entries: metadataToObject(metadata.value),
    revision: BigInt(metadata.revision),
  });
  live.endTime = create(SandboxEndTimeUpdateSchema, {
    endAtUs: BigInt(endTime.value.endAt),
    remainingMs: BigInt(Math.max(0, Math.round(deadline - performance.now()))),
    revision: BigInt(endTime.revision),
  });
  live.egress = create(SandboxEgressUpdateSchema, {
    policy: { allowOut: [...egress.value.allowOut], denyOut: [...egress.value.denyOut] },
    revision: BigInt(egress.revision),
  });
  return live;
}

export function appliedRevisions(held: HeldSandbox): AppliedRevisions {
  return create(AppliedRevisionsSchema, {
    metadata: BigInt(held.metadata.revision),
    endTime: BigInt(held.endTime.revision),
    egress: BigInt(held.egress.revision),
  });
}

/** The record of fields as they arrived; the state takes of them what is newer. */
export function liveRecord(
  key: { readonly sandboxId: string; readonly executionId: string; readonly epoch: Epoch },
  { metadata, endTime, egress }: IncomingFields,
): LiveRecord {
  const { sandboxId, executionId, epoch } = key;
  return {
    kind: "live",
    sandboxId,
    executionId,
    epoch,
    ...(metadata === undefined ? {} : { metadata: { revision: metadata.revision, entries: [...metadata.value] } }),
    ...(endTime === undefined
      ? {}
      : { endTime: { revision: endTime.revision, endAt: endTime.value.endAt, dueAt: endTime.value.dueAt } }),
    ...(egress === undefined
      ? {}
      : {
          egress: {
            revision: egress.revision,
            allowOut: [...egress.value.allowOut],
            denyOut: [...egress.value.denyOut],
          },
        }),
  };
}

export const deletionCauseOf: Readonly<Record<DeletionCauseName, DeletionCause>> = {
  requested: DeletionCause.REQUESTED,
  expired: DeletionCause.EXPIRED,
  exited: DeletionCause.EXITED,
  start_failed: DeletionCause.START_FAILED,
  shutdown: DeletionCause.SHUTDOWN,
};

interface WireFields {
  readonly metadata?: SandboxMetadataUpdate | undefined;
  readonly endTime?: SandboxEndTimeUpdate | undefined;
  readonly egress?: SandboxEgressUpdate | undefined;
}

function readFields({ metadata, endTime, egress }: WireFields): IncomingFields {
  return {
    ...(metadata === undefined ? {} : { metadata: readMetadata(metadata) }),
    ...(endTime === undefined ? {} : { endTime: readEndTime(endTime) }),
    ...(egress === undefined ? {} : { egress: readEgress(egress) }),
  };
}

function readMetadata(update: SandboxMetadataUpdate): Held<Metadata> {
  const value = new Map(Object.entries(update.entries));
  checkMetadataLimits(value);
  return { value, revision: readNumber(update.revision, "metadata revision") };
}

function readEndTime(update: SandboxEndTimeUpdate): Held<IncomingEndTime> {
  const remaining = Math.max(0, Number(update.remainingMs));
  return {
    value: {
      endAt: readNumber(update.endAtUs, "end time"),
      dueAt: Date.now() + remaining,
      deadline: performance.now() + remaining,
    },
    revision: readNumber(update.revision, "end time revision"),
  };
}

function readEgress(update: SandboxEgressUpdate): Held<EgressPolicy> {
  return {
    value: parseEgressPolicy(update.policy?.allowOut ?? [], update.policy?.denyOut ?? []),
    revision: readNumber(update.revision, "egress revision"),
  };
}

function invalid(message: string): CastellanError {
  return new CastellanError("invalid_argument", message);
}
