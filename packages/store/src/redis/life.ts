import {
  mayBecome,
  notVerified,
  type SandboxIdentity,
  type SandboxRecord,
  sandboxNotFound,
  stateConflict,
} from "@castellan/domain";
import { encodeEgress, encodeIdentity } from "../identity.ts";
import { metadataBytes, metadataText } from "../metadata-text.ts";
import { defaultStateDeadlineMs, tombstoneKeptMs } from "../options.ts";
import { executionRemoved, noSuchTeam, otherExecution, quotaExceeded, sandboxExists } from "../refusals.ts";
import { decodeState } from "../states.ts";
import type { AdoptedSandbox, ExecutionKey, NewSandboxRecord, Transition, Why } from "../store.ts";
import { dropToken, keepToken } from "./access-tokens.ts";
import type { RedisConnection } from "./connection.ts";
import { keyText } from "./edits.ts";
import { nodeTeamsKey, sandboxTeamKey, teamEpochKey } from "./keys.ts";
import * as lua from "./lua/life.ts";
import { checkOneLine, decodeRecord, unexpected } from "./records.ts";
import { expectWork } from "./work.ts";

export async function create(
  store: RedisConnection,
  sandbox: NewSandboxRecord,
  maxConcurrent: number,
): Promise<SandboxRecord> {
  const { teamId, sandboxId, executionId, nodeId, metadata } = sandbox;
  checkOneLine(executionId, nodeId);
  if (await isAtLimit(store, sandbox, maxConcurrent)) throw quotaExceeded(maxConcurrent);
  await leadTo(store, sandbox, "NX");
  await expectWork(store, teamId, { push: 0, ends: sandbox.lifetimeMs, states: sandbox.deadlineMs });
  const answer = await store.changeTeam(lua.create, teamId, [
    sandbox.epoch,
    sandboxId,
    executionId,
    nodeId,
    micros(sandbox.lifetimeMs),
    micros(sandbox.deadlineMs),
    maxConcurrent,
    encodeIdentity(sandbox),
    ...templateNames(sandbox),
    encodeEgress(sandbox.egress),
    metadataBytes(metadata),
    metadata.size,
    metadataText(metadata),
    keyText(sandbox.apiKeyId),
  ]);
  if (answer[0] !== "ok" && answer[0] !== "exists" && sandbox.envdAccessToken !== undefined) {
    await dropToken(store, sandboxId);
  }
  switch (answer[0]) {
    case "ok":
      return decodeRecord(store, answer[1]);
    case "noteam":
      throw noSuchTeam();
    case "exists":
      throw sandboxExists(sandboxId);
    case "removed":
      throw executionRemoved(sandboxId);
    case "quota":
      throw quotaExceeded(maxConcurrent);
    default:
      throw unexpected(answer);
  }
}

export async function transition(store: RedisConnection, change: Transition): Promise<SandboxRecord> {
  const { teamId, sandboxId, to, next, confirmed } = change;
  const deadlineMs = change.deadlineMs ?? defaultStateDeadlineMs;
  checkOneLine(next?.executionId ?? "", next?.nodeId ?? "", confirmed?.bootId ?? "");
  if (next) await store.command((redis) => redis.sadd(nodeTeamsKey(next.nodeId), teamId));
  await expectWork(store, teamId, { push: 0, ends: change.lifetimeMs ?? 0, states: deadlineMs });
  const answer = await store.changeTeam(lua.transition, teamId, [
    sandboxId,
    change.executionId,
    to,
    micros(deadlineMs),
    ...(next ? [next.executionId, next.generation, next.nodeId] : ["", "", ""]),
    change.lifetimeMs === undefined ? "" : micros(change.lifetimeMs),
    change.maxConcurrent ?? "",
    ...(confirmed
      ? [confirmed.bootId, confirmed.applied.metadata, confirmed.applied.endTime, confirmed.applied.egress]
      : ["", "", "", ""]),
    keyText(change.apiKeyId),
    change.cause ?? "",
    change.quiet === true ? 0 : 1,
    ...change.from.filter((from) => mayBecome(from, to)),
  ]);
  switch (answer[0]) {
    case "ok":
      // A look that came before the change has put the team off, and the end may be sooner.
      if (to === "running") await expectWork(store, teamId, { ends: 0 });
      return decodeRecord(store, answer[1]);
    case "noteam":
    case "missing":
      throw sandboxNotFound(sandboxId);
    case "execution":
      throw otherExecution(sandboxId);
    case "unverified":
      throw notVerified(sandboxId);
    case "state":
      throw stateConflict(sandboxId, decodeState(answer[1]));
    case "quota":
      throw quotaExceeded(change.maxConcurrent ?? 0);
    default:
      throw unexpected(answer);
  }
}

export async function claimEnded(
  store: RedisConnection,
  execution: ExecutionKey,
  to: "killing" | "pausing",
  deadlineMs: number,
): Promise<SandboxRecord | undefined> {
  const { teamId, sandboxId, executionId } = execution;
  await expectWork(store, teamId, { states: deadlineMs });
  const args = [sandboxId, executionId, to, micros(deadlineMs)];
  const answer = await store.changeTeam(lua.claimEnded, teamId, args);
  return answer[0] === "ok" ? decodeRecord(store, answer[1]) : undefined;
}

export async function remove(store: RedisConnection, execution: ExecutionKey, why: Why = {}): Promise<boolean> {
  const { teamId, sandboxId, executionId } = execution;
  const args = [sandboxId, executionId, tombstoneKeptMs, keyText(why.apiKeyId), why.cause ?? ""];
  const answer = await store.changeTeam(lua.remove, teamId, args);
  if (answer[0] === "unverified") throw notVerified(sandboxId);
  const removed = answer[1] === 1;
  // What leads to the record, or to the tombstone of one that was never here, stays for as long as the tombstone. If this
  // is not reached, a small entry stays behind, or a tombstone is found by those only who know the team.
  const key = sandboxTeamKey(sandboxId);
  if (removed) {
    await Promise.all([store.command((redis) => redis.pexpire(key, tombstoneKeptMs)), dropToken(store, sandboxId)]);
  } else await store.command((redis) => redis.set(key, teamId, "PX", tombstoneKeptMs, "NX"));
  return removed;
}

/** Whether the team's slot holds a tombstone of this execution. */
export async function isTombstoned(
  store: RedisConnection,
  teamId: string,
  sandboxId: string,
  executionId: string,
): Promise<boolean> {
  const key = teamEpochKey(teamId).replace(/epoch$/, `x:${sandboxId}:${executionId}`);
  return (await store.command((redis) => redis.exists(key))) === 1;
}

/** As JSON strings, which have no line breaks; the labels of templates are made of them. */
export function templateNames({ templateId, templateAlias }: SandboxIdentity): [string, string] {
  return [JSON.stringify(templateId), templateAlias === undefined ? "" : JSON.stringify(templateAlias)];
}

/**
 * Whether to refuse without writing anything: what leads to a record is written before it, and refusals at the limit
 * would leave it behind by the thousand. The script that creates decides.
 */
async function isAtLimit(store: RedisConnection, sandbox: NewSandboxRecord, limit: number): Promise<boolean> {
  const { teamId, sandboxId, executionId } = sandbox;
  const answer = await store.readTeam(lua.isAtLimit, teamId, [sandboxId, executionId, limit]);
  if (answer[0] === "noteam") throw noSuchTeam();
  return answer[1] === 1;
}

/** The entries of other slots that lead to a record, written before it. @throws `conflict` when another team has the id. */
export async function leadTo(
  store: RedisConnection,
  sandbox: NewSandboxRecord | AdoptedSandbox,
  known: "NX" | "replace",
): Promise<void> {
  const { teamId, sandboxId, nodeId } = sandbox;
  const key = sandboxTeamKey(sandboxId);
  const [written] = await Promise.all([
    store.command((redis) => (known === "NX" ? redis.set(key, teamId, "NX") : redis.set(key, teamId))),
    store.command((redis) => redis.sadd(nodeTeamsKey(nodeId), teamId)),
    keepToken(store, sandbox, known),
  ]);
  if (written !== null) return;
  if ((await store.command((redis) => redis.get(key))) !== teamId) throw sandboxExists(sandboxId);
  // A removal may have left it to expire.
  await store.command((redis) => redis.persist(key));
}

function micros(millis: number): number {
  return Math.round(millis * 1000);
}
