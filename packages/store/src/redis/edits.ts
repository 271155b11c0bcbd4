import {
  CastellanError,
  metadataLimits,
  notVerified,
  sandboxNotFound,
  stateConflict,
  tooManyBytes,
  tooManyKeys,
} from "@castellan/domain";
import { decimal } from "../decoding.ts";
import { encodeEgress } from "../identity.ts";
import { escapeText, parseMetadataText } from "../metadata-text.ts";
import { operationKeptMs, ownEditLimits } from "../options.ts";
import { keyReused, revisionDiffers } from "../refusals.ts";
import { decodeState } from "../states.ts";
import type { Confirmation, EgressEdit, EndTimeEdit, LiveCommit, MetadataEdit } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import * as lua from "./lua/edits.ts";
import type { Script } from "./lua/script.ts";
import { checkOneLine, decodeRecord, unexpected } from "./records.ts";

type Edit = MetadataEdit | EndTimeEdit | EgressEdit;

/** Reports that one script takes; more make several. */
const reportsPerScript = 200;

export function editMetadata(store: RedisConnection, edit: MetadataEdit, pushGrace: number): Promise<LiveCommit> {
  const { key, content } = edit.idempotency ?? { key: "", content: "" };
  const limits = [metadataLimits.keys, metadataLimits.totalBytes, ownEditLimits.keys, ownEditLimits.bytes];
  const args: (string | number)[] = [edit.ifMatch ?? "", ...limits, key, content];
  for (const [key, value] of edit.delta) args.push(escapeText(key), value === null ? "-" : `=${escapeText(value)}`);
  return liveEdit(store, lua.editMetadata, edit, pushGrace, args);
}

export function editEndTime(store: RedisConnection, edit: EndTimeEdit, pushGrace: number): Promise<LiveCommit> {
  return liveEdit(store, lua.editEndTime, edit, pushGrace, [Math.round(edit.lifetimeMs * 1000), edit.mode]);
}

export function editEgress(store: RedisConnection, edit: EgressEdit, pushGrace: number): Promise<LiveCommit> {
  return liveEdit(store, lua.editEgress, edit, pushGrace, [encodeEgress(edit.policy)]);
}

/** One script per team, so that each stays in its slot. */
export async function confirm(store: RedisConnection, reports: readonly Confirmation[]): Promise<void> {
  checkOneLine(...reports.map(({ bootId }) => bootId));
  const byTeam = Map.groupBy(reports, (report) => report.teamId);
  const calls = [...byTeam].flatMap(([teamId, ofTeam]) =>
    portions(ofTeam, reportsPerScript).map((portion) =>
      store.changeTeam(lua.confirm, teamId, portion.flatMap(reportArgs)),
    ),
  );
  await Promise.all(calls);
}

function reportArgs(report: Confirmation): (string | number)[] {
  const { sandboxId, executionId, epoch, bootId, applied } = report;
  return [sandboxId, executionId, epoch, bootId, applied.metadata, applied.endTime, applied.egress];
}

async function liveEdit(
  store: RedisConnection,
  script: Script,
  edit: Edit,
  pushGrace: number,
  args: readonly (string | number)[],
): Promise<LiveCommit> {
  const { teamId, sandboxId, operationId, epoch } = edit;
  const known = store.identities.get(sandboxId);
  const answer = await store.changeTeam(script, teamId, [
    epoch,
    sandboxId,
    operationId,
    pushGrace,
    operationKeptMs,
    known?.made ?? "",
    keyText(edit.apiKeyId),
    ...args,
  ]);
  switch (answer[0]) {
    case "ok":
      return {
        record: decodeRecord(store, answer[3], known),
        changed: answer[1] === 1,
        replayed: answer[2] === 1,
        ...(typeof answer[5] === "string" && {
          outcome: { metadata: parseMetadataText(answer[5].slice(1)), revision: decimal(answer[4]) },
        }),
      };
    case "reused":
      throw keyReused();
    case "noteam":
    case "missing":
      throw sandboxNotFound(sandboxId);
    case "unverified":
      throw notVerified(sandboxId);
    case "state":
      throw stateConflict(sandboxId, decodeState(answer[1]));
    case "revision":
      throw revisionDiffers();
    case "keys":
      throw new CastellanError("invalid_argument", tooManyKeys);
    case "bytes":
      throw new CastellanError("invalid_argument", tooManyBytes);
    default:
      throw unexpected(answer);
  }
}

/** As an event has it. */
export function keyText(apiKeyId: string | undefined): string {
  return apiKeyId === undefined ? "" : JSON.stringify(apiKeyId);
}

function portions<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
