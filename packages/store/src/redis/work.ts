import type { NodeRecord, SandboxRecord } from "@castellan/domain";
import { decimal, list, textList } from "../decoding.ts";
import { decodeNode, encodeNode } from "../nodes.ts";
import type { ExecutionKey } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import { nodesKey, nodeTeamsKey, type Work, workKey } from "./keys.ts";
import * as lua from "./lua/loops.ts";
import { decodeRecord } from "./records.ts";

/**
 * What the control loops ask for. The truth is in each team's own sorted sets. One more sorted set per kind of work says
 * when to look at which team; it is lowered *before* a change that may bring work, so a crash in between costs a look in
 * vain, and where an end may be near also after it, as a look in between would put the team off. A look puts the team off first and then lowers it to what it found: if that is not reached, the team is late by
 * `putOffMs`, never forgotten. Edits do not touch it, because teams with live sandboxes are looked at every second.
 */
const putOffMs: Readonly<Record<Work, number>> = { push: 1000, ends: 10_000, states: 10_000, webhooks: 200 };
/** Between two looks for pushes at a team in which nothing runs. */
const idleMs = 10_000;
const teamsAtOnce = 64;
/** In place of a node's lease and description. */
const forgotten = "forgotten";
const recordsAtOnce = 100;

/** Has the team looked at in so many milliseconds at the latest. */
export async function expectWork(
  store: RedisConnection,
  teamId: string,
  work: Partial<Record<Work, number>>,
): Promise<void> {
  const kinds: readonly Work[] = ["push", "ends", "states", "webhooks"];
  await Promise.all(
    kinds.flatMap((kind) => {
      const inMs = work[kind];
      return inMs === undefined ? [] : [lower(store, kind, teamId, inMs * 1000)];
    }),
  );
}

/** Due records of all teams, the most urgent first. */
export async function listDue(store: RedisConnection, work: Work, limit: number): Promise<SandboxRecord[]> {
  const found: Due[] = [];
  const looks: Look[] = [];
  while (found.length < limit) {
    const teams = await takeTeams(store, work);
    const these = await Promise.all(teams.map((teamId) => look(store, work, teamId, limit)));
    looks.push(...these);
    found.push(...these.flatMap(({ due }) => due));
    if (teams.length < teamsAtOnce) break;
  }
  // Only now, so that no team is taken twice.
  await Promise.all(looks.map((one) => settle(store, work, one)));
  found.sort((a, b) => a.at - b.at);
  return found.slice(0, limit).map(({ record }) => record);
}

export async function deferPush(store: RedisConnection, execution: ExecutionKey, delayMs: number): Promise<void> {
  const { teamId, sandboxId, executionId } = execution;
  const args = [sandboxId, executionId, Math.round(delayMs * 1000)];
  await store.changeTeam(lua.deferPush, teamId, args);
}

export async function listOnNode(store: RedisConnection, nodeId: string): Promise<SandboxRecord[]> {
  const teams = await store.command((redis) => redis.smembers(nodeTeamsKey(nodeId)));
  const records: SandboxRecord[] = [];
  for (let i = 0; i < teams.length; i += teamsAtOnce) {
    const portion = teams.slice(i, i + teamsAtOnce);
    const ofTeams = await Promise.all(portion.map((teamId) => ofTeamOnNode(store, teamId, nodeId)));
    records.push(...ofTeams.flat());
  }
  return records;
}

export async function renewLease(
  store: RedisConnection,
  node: Omit<NodeRecord, "leaseExpiresAt">,
  leaseMs: number,
): Promise<NodeRecord> {
  const args = [node.nodeId, Math.round(leaseMs * 1000), encodeNode(node)];
  const leaseExpiresAt = decimal(await store.run(lua.renewLease, nodesKey, args));
  return { ...node, leaseExpiresAt };
}

export async function listNodes(store: RedisConnection): Promise<NodeRecord[]> {
  const all = Object.values(await store.command((redis) => redis.hgetall(nodesKey)));
  const nodes = all.flatMap((stored) => {
    if (stored === forgotten) return [];
    const space = stored.indexOf(" ");
    return [decodeNode(stored.slice(space + 1), decimal(stored.slice(0, space)))];
  });
  return nodes.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

export async function forgetNode(store: RedisConnection, nodeId: string): Promise<void> {
  await store.command((redis) => redis.hset(nodesKey, nodeId, forgotten));
}

export async function listForgottenNodes(store: RedisConnection): Promise<string[]> {
  const all = Object.entries(await store.command((redis) => redis.hgetall(nodesKey)));
  return all.flatMap(([nodeId, stored]) => (stored === forgotten ? [nodeId] : [])).sort();
}

/** Teams to look at for this work; they are put off for everybody else. */
export async function takeTeams(store: RedisConnection, work: Work): Promise<string[]> {
  const taken = await store.run(lua.takeTeams, workKey(work), [teamsAtOnce, putOffMs[work] * 1000]);
  return textList(taken);
}

interface Due {
  readonly at: number;
  readonly record: SandboxRecord;
}

/** What a look at one team found, and when to look again: in so many µs, if there is something to wait for. */
interface Look {
  readonly teamId: string;
  readonly due: readonly Due[];
  readonly next: number | undefined;
  readonly idle: boolean;
}

async function look(store: RedisConnection, work: Work, teamId: string, limit: number): Promise<Look> {
  const due: Due[] = [];
  for (;;) {
    const wanted = Math.min(recordsAtOnce, limit - due.length);
    const answer = await store.readTeam(lua.listDue, teamId, [work, due.length, wanted]);
    if (answer[0] === "noteam") return { teamId, due, next: undefined, idle: true };
    const [, next, live, ...records] = answer;
    for (let i = 0; i < records.length; i += 2) {
      due.push({ at: decimal(records[i]), record: decodeRecord(store, records[i + 1]) });
    }
    if (records.length < 2 * wanted || due.length >= limit) {
      return { teamId, due, next: next === "" ? undefined : decimal(next), idle: live === 0 };
    }
  }
}

async function settle(store: RedisConnection, work: Work, { teamId, next, idle }: Look): Promise<void> {
  if (next !== undefined && next < putOffMs[work] * 1000) await lower(store, work, teamId, next);
  else if (work === "push" && idle && next === undefined) await putOff(store, teamId);
}

async function ofTeamOnNode(store: RedisConnection, teamId: string, nodeId: string): Promise<SandboxRecord[]> {
  const records: SandboxRecord[] = [];
  let after = "";
  for (;;) {
    const args = [nodeId, after, recordsAtOnce];
    const [, ...portion] = await store.readTeam(lua.listOnNode, teamId, args);
    for (const one of portion) records.push(decodeRecord(store, list(one)));
    const last = records.at(-1);
    if (portion.length < recordsAtOnce || last === undefined) return records;
    after = last.sandboxId;
  }
}

async function lower(store: RedisConnection, work: Work, teamId: string, inMicros: number): Promise<void> {
  await store.run(lua.expectWork, workKey(work), [teamId, Math.round(inMicros)]);
}

async function putOff(store: RedisConnection, teamId: string): Promise<void> {
  await store.run(lua.putOffTeam, workKey("push"), [teamId, idleMs * 1000]);
}
