import process from "node:process";
import {
  type AppliedRevisions,
  type Metadata,
  type MetadataDelta,
  newExecutionId,
  newOperationId,
  newSandboxId,
  type SandboxRecord,
} from "@castellan/domain";
import { expect } from "vitest";
import type {
  AdoptedSandbox,
  Confirmation,
  ExecutionKey,
  LiveCommit,
  MetadataEdit,
  NewSandboxRecord,
  SandboxStore,
  Verification,
} from "../store.ts";

/** What the suite runs against; the store is opened before each file's tests. */
export interface Subject {
  readonly store: SandboxStore;
}

export const quietLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Edits are due for a push after this long, in ms. */
export const pushGraceMs = 150;

let teams = 0;

/** A team of its own for each test, so that tests do not see each other's sandboxes. */
export async function newTeam(store: SandboxStore): Promise<string> {
  teams += 1;
  const teamId = `team-${process.pid}-${Date.now()}-${teams}`;
  await store.putTeam({ teamId, name: teamId, maxConcurrentSandboxes: 20 });
  return teamId;
}

export const openPolicy = { allowOut: [], denyOut: [] };

const identity = {
  apiKeyId: "key-1",
  templateId: "base",
  resources: { cpuCount: 2, memoryMb: 512, diskMb: 1024 },
  lifecycle: { autoPause: false, autoPauseMemory: true, autoResume: false },
  envdVersion: "0.6.13",
  envVars: {},
};

export async function newRecord(
  store: SandboxStore,
  teamId: string,
  changes: Partial<NewSandboxRecord> = {},
): Promise<NewSandboxRecord> {
  return {
    ...identity,
    teamId,
    sandboxId: newSandboxId(),
    executionId: newExecutionId(),
    nodeId: "node-1",
    metadata: new Map(),
    lifetimeMs: 60_000,
    egress: openPolicy,
    deadlineMs: 60_000,
    epoch: await store.epoch(),
    ...changes,
  };
}

export async function createOne(
  store: SandboxStore,
  teamId: string,
  changes: Partial<NewSandboxRecord> = {},
): Promise<SandboxRecord> {
  return store.create(await newRecord(store, teamId, changes), 1_000_000);
}

/** A running sandbox whose node has confirmed everything. */
export async function runOne(
  store: SandboxStore,
  teamId: string,
  changes: Partial<NewSandboxRecord> = {},
): Promise<SandboxRecord> {
  const created = await createOne(store, teamId, changes);
  const confirmed = { bootId: "boot-1", applied: revisionsOf(created) };
  return store.transition({ ...keyOf(created), from: ["creating"], to: "running", confirmed });
}

export async function pauseOne(store: SandboxStore, record: SandboxRecord): Promise<SandboxRecord> {
  await store.transition({ ...keyOf(record), from: ["running"], to: "pausing" });
  return store.transition({ ...keyOf(record), from: ["pausing"], to: "paused" });
}

export async function manifest(
  store: SandboxStore,
  teamId: string,
  changes: Partial<AdoptedSandbox> = {},
): Promise<AdoptedSandbox> {
  const now = await store.now();
  return {
    ...identity,
    teamId,
    sandboxId: newSandboxId(),
    executionId: newExecutionId(),
    generation: 1,
    nodeId: "node-1",
    bootId: "boot-1",
    startedAt: now,
    metadata: { value: new Map(), revision: now },
    endTime: { value: now + 60_000_000, revision: now },
    egress: { value: openPolicy, revision: now },
    epoch: await store.epoch(),
    ...changes,
  };
}

export async function metadataEdit(
  store: SandboxStore,
  record: Pick<SandboxRecord, "teamId" | "sandboxId">,
  delta: Readonly<Record<string, string | null>> | MetadataDelta,
  changes: Partial<MetadataEdit> = {},
): Promise<MetadataEdit> {
  return {
    teamId: record.teamId,
    sandboxId: record.sandboxId,
    operationId: newOperationId(),
    epoch: await store.epoch(),
    delta: delta instanceof Map ? delta : new Map(Object.entries(delta)),
    apiKeyId: "key-1",
    ...changes,
  };
}

export async function edit(
  store: SandboxStore,
  record: Pick<SandboxRecord, "teamId" | "sandboxId">,
  delta: Readonly<Record<string, string | null>> | MetadataDelta,
  changes: Partial<MetadataEdit> = {},
): Promise<LiveCommit> {
  return store.editMetadata(await metadataEdit(store, record, delta, changes));
}

export function report(
  record: SandboxRecord,
  applied: AppliedRevisions,
  changes: Partial<Confirmation> = {},
): Confirmation {
  return { ...keyOf(record), epoch: record.epoch, bootId: "boot-1", applied, ...changes };
}

/** As a store that may have forgotten: every record is from before the epoch, and so is every revision. */
export async function newEpoch(store: SandboxStore): Promise<number> {
  return store.raiseEpoch(Math.max(await store.now(), await store.epoch()) + 1_000_000);
}

/** Has every node reported of the record. */
export async function verifyOne(
  store: SandboxStore,
  record: ExecutionKey,
  heard: Partial<Pick<Verification, "fully" | "ownNode">> = {},
): Promise<void> {
  const { teamId, sandboxId, executionId } = record;
  const verification = { teamId, sandboxId, executionId, fully: true, ownNode: "reported", ...heard } as const;
  await store.verify(await store.epoch(), [verification]);
}

/** Takes it over, and has every node reported of it. */
export async function adoptOne(store: SandboxStore, found: AdoptedSandbox): Promise<void> {
  await store.adopt(found);
  await verifyOne(store, found);
}

export function keyOf({ teamId, sandboxId, executionId }: SandboxRecord): ExecutionKey {
  return { teamId, sandboxId, executionId };
}

export function revisionsOf(record: SandboxRecord): AppliedRevisions {
  return {
    metadata: record.metadata.revision,
    endTime: record.endTime.revision,
    egress: record.egress.revision,
  };
}

export function appliedOf(record: SandboxRecord): AppliedRevisions {
  return { metadata: record.metadata.applied, endTime: record.endTime.applied, egress: record.egress.applied };
}

export function tags(entries: Readonly<Record<string, string>>): Metadata {
  return new Map(Object.entries(entries));
}

/** The record as the store has it. */
export async function stored(store: SandboxStore, record: SandboxRecord): Promise<SandboxRecord> {
  const found = await store.get(record.teamId, record.sandboxId);
  if (found === undefined) throw new Error("The record is gone");
  return found;
}

/** Fails unless the call is refused with this code. */
export async function refuses(call: Promise<unknown>, code: string, message?: RegExp): Promise<void> {
  await expect(call).rejects.toMatchObject({ code, ...(message && { message: expect.stringMatching(message) }) });
}

/** The ids of a team in what a control loop was given, in order. */
export function idsOf(records: readonly SandboxRecord[], teamId?: string): string[] {
  return records.filter((record) => teamId === undefined || record.teamId === teamId).map(({ sandboxId }) => sandboxId);
}
