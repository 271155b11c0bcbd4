import { createHash } from "node:crypto";
import { editIdempotency, newExecutionId, newSandboxId } from "@castellan/domain";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  edit,
  keyOf,
  manifest,
  metadataEdit,
  newEpoch,
  newRecord,
  newTeam,
  pauseOne,
  quietLogger,
  refuses,
  report,
  revisionsOf,
  runOne,
  stored,
  tags,
  verifyOne,
} from "../contract/fixture.ts";
import { openStore } from "../open.ts";
import type { SandboxStore } from "../store.ts";
import { type RedisServer, startRedisServer } from "../testing/redis-server.ts";
import { sweepTokens } from "./access-tokens.ts";
import { RedisConnection } from "./connection.ts";

let server: RedisServer;
let store: SandboxStore;
let redis: Redis;
beforeAll(async () => {
  server = await startRedisServer({ cluster: true });
  store = await openStore(server.url, { logger: quietLogger });
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis?.disconnect();
  await store?.close();
  await server?.stop();
});

describe("a record of another version", () => {
  it("that is older is read, upgraded with its next change, and found by its tags", async () => {
    const teamId = await newTeam(store);
    const sandboxId = newSandboxId();
    const prefix = `cs:{${teamId}}:`;
    // As a version 0 would have left it.
    const identity = {
      sandboxId,
      teamId,
      apiKeyId: "key-1",
      templateId: "base",
      resources: { cpuCount: 1, memoryMb: 256, diskMb: 512 },
      envdVersion: "0.5.0",
    };
    const started = "1795000000000000";
    await redis.set(`cs:sandbox-team:${sandboxId}`, teamId);
    await redis.set(`${prefix}i:${sandboxId}`, JSON.stringify(identity));
    // Up to the revision of the end time; neither counts, nor a making, nor egress rules.
    const fields = `0\nrunning\n${started}\n${started}\n\n\n\n\n\ne1\n1\nnode-1\n\n1795000060000000\n${started}`;
    await redis.set(`${prefix}s:${sandboxId}`, `${fields}\n\t\nowner\tada\nnote\tü\n`);
    await redis.zadd(
      `${prefix}l:r`,
      0,
      `${String(Number.MAX_SAFE_INTEGER - Number(started)).padStart(16, "0")}${sandboxId}`,
    );

    const old = await store.locate(sandboxId);
    expect(old).toMatchObject({
      state: "running",
      generation: 1,
      envVars: {},
      lifecycle: { autoPause: false, autoPauseMemory: true, autoResume: false },
      metadata: { value: tags({ owner: "ada", note: "ü" }), revision: Number(started), applied: 0 },
      egress: { value: { allowOut: [], denyOut: [] }, revision: 0, applied: 0 },
    });
    await verifyOne(store, { teamId, sandboxId, executionId: "e1" });
    const { record } = await edit(store, { teamId, sandboxId }, { owner: "bob" });
    expect(record.metadata.value).toEqual(tags({ owner: "bob", note: "ü" }));
    const query = { states: ["running"], filter: tags({ owner: "bob" }), order: "desc", limit: 10 } as const;
    expect((await store.list(teamId, query)).sandboxes).toEqual([record]);
    const upgraded = (await redis.get(`${prefix}s:${sandboxId}`))?.split("\n") ?? [];
    expect(upgraded[0]).toBe("1");
    expect(upgraded).toContain(String("owner".length + "bob".length + "note".length + 2));
  });

  it("that is newer keeps what this version does not know", async () => {
    const record = await runOne(store, await newTeam(store), { metadata: tags({ a: "1" }) });
    const prefix = `cs:{${record.teamId}}:`;
    const [fields, metadata] = (await redis.get(`${prefix}s:${record.sandboxId}`))?.split("\n\t\n") ?? [];
    await redis.set(`${prefix}s:${record.sandboxId}`, `${fields}\nnew field\nanother\n\t\n${metadata}`);
    const identity = JSON.parse((await redis.get(`${prefix}i:${record.sandboxId}`)) ?? "{}");
    await redis.set(`${prefix}i:${record.sandboxId}`, JSON.stringify({ ...identity, v: 2, colour: "blue" }));
    expect(await stored(store, record)).toEqual(record);
    const { record: edited } = await edit(store, record, { a: "2" });
    await store.confirm([report(edited, revisionsOf(edited))]);
    await pauseOne(store, edited);
    expect(await redis.get(`${prefix}s:${record.sandboxId}`)).toMatch(/\nnew field\nanother\n\t\na\t2\n$/);
  });
});

it("what a process knows of a sandbox is not taken for that of another one under the same id", async () => {
  const other = await openStore(server.url, { logger: quietLogger });
  try {
    const first = await runOne(store, await newTeam(store), { envVars: { A: "1" } });
    await edit(store, first, { a: "1" });
    await other.remove(keyOf(first));
    const { teamId, sandboxId } = first;
    await runOne(other, teamId, { sandboxId, envVars: { B: "2" } });
    expect((await edit(store, first, { a: "2" })).record.envVars).toEqual({ B: "2" });
    expect((await store.locate(sandboxId))?.envVars).toEqual({ B: "2" });
  } finally {
    await other.close();
  }
});

it("an idempotency key is free again a day after its edit, and expires with the others of its sandbox", async () => {
  const record = await runOne(store, await newTeam(store));
  const prefix = `cs:{${record.teamId}}:`;
  const delta = tags({ a: "1" });
  const idempotency = editIdempotency("k", delta, undefined);
  await edit(store, record, delta, { idempotency });
  for (const key of ["k", "kt", "km"]) {
    const ttl = await redis.pttl(`${prefix}${key}:${record.sandboxId}`);
    expect(ttl).toBeGreaterThan(86_340_000);
    expect(ttl).toBeLessThanOrEqual(86_400_000);
  }
  await edit(store, record, { a: "2" });
  const kept = await redis.hget(`${prefix}k:${record.sandboxId}`, idempotency.key);
  const [content, revision, at] = kept?.split("\t") ?? [];
  const put = (age: number) =>
    redis.hset(`${prefix}k:${record.sandboxId}`, idempotency.key, [content, revision, Number(at) - age].join("\t"));
  await put(86_340_000_000);
  expect((await edit(store, record, delta, { idempotency })).replayed).toBe(true);
  await put(86_400_000_000);
  expect(await edit(store, record, delta, { idempotency })).toMatchObject({ changed: true, replayed: false });
});

describe("what stands in Redis", () => {
  it("is nothing but the team, operation ids and tombstones once the sandboxes are gone", async () => {
    const teamId = await newTeam(store);
    const record = await runOne(store, teamId, { metadata: tags({ a: "1", b: "2" }), templateAlias: "alias" });
    await edit(store, record, { a: "2", b: null });
    const paused = await pauseOne(store, record);
    const next = { executionId: newExecutionId(), generation: 2, nodeId: "node-2" };
    const resumed = await store.transition({ ...keyOf(paused), from: ["paused"], to: "resuming", next });
    await edit(store, resumed, { c: "3" });
    await store.transition({ ...keyOf(resumed), from: ["resuming"], to: "killing" });
    await store.remove(keyOf(resumed));
    const refused = await newRecord(store, teamId);
    await refuses(store.create(refused, 0), "quota_exceeded");
    expect(await redis.exists(`cs:sandbox-team:${refused.sandboxId}`)).toBe(0);

    const keys = (await redis.keys(`*${teamId}*`)).map((key) => key.replace(`cs:{${teamId}}:`, ""));
    const kinds = keys.map((key) => key.replace(/^([ox]):.*/, "$1")).sort();
    expect(kinds).toEqual(["epoch", "events", "o", "team", "x"]);
    for (const key of keys.filter((one) => /^[ox]:/.test(one))) {
      expect(await redis.pttl(`cs:{${teamId}}:${key}`)).toBeGreaterThan(600_000);
    }
    expect(await redis.pttl(`cs:sandbox-team:${record.sandboxId}`)).toBeGreaterThan(86_400_000);
  });

  it("is no access token for long once its sandbox is gone, also after a crash in between", async () => {
    const teamId = await newTeam(store);
    const there = await runOne(store, teamId, { envdAccessToken: "there" });
    const gone = await runOne(store, teamId, { envdAccessToken: "gone" });
    await redis.del(`cs:{${teamId}}:s:${gone.sandboxId}`, `cs:{${teamId}}:i:${gone.sandboxId}`);
    const connection = new RedisConnection(server.url, quietLogger);
    await connection.open(5000);
    const tokens = async () => (await store.listAccessTokens(0, 100)).tokens.map(({ token }) => token);
    try {
      // What is young may have its record still to come.
      await sweepTokens(connection, 100, 60_000);
      expect(await tokens()).toEqual(expect.arrayContaining(["there", "gone"]));
      await sweepTokens(connection, 100, 0);
      expect(await tokens()).toContain("there");
      expect(await tokens()).not.toContain("gone");
    } finally {
      connection.close();
    }
    await store.remove(keyOf(there));
  });

  it("lies in one slot for each script: one that leaves it fails", async () => {
    const script = "#!lua\nredis.call('SET', KEYS[1], '1') redis.call('SET', 'cs:{other}:x', '1')";
    await expect(redis.eval(script, 1, "cs:{team}:x")).rejects.toThrow(/same slot/);
  });

  it("is an index that says what the records say, after any sequence of changes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const teamId = await newTeam(store);
        const sandboxes: string[] = [];
        for (const one of steps) await perform(teamId, sandboxes, one);
        await expectIndexesToAgree(teamId, sandboxes);
      }),
      { numRuns: 30 },
    );
  });

  it("is refused as an id when it would break the lines of a record", async () => {
    const teamId = await newTeam(store);
    const record = await runOne(store, teamId);
    await refuses(store.create(await newRecord(store, teamId, { nodeId: "a\nb" }), 10), "invalid_argument");
    await refuses(store.adopt(await manifest(store, teamId, { bootId: "\n" })), "invalid_argument");
    const confirmed = { bootId: "a\nb", applied: revisionsOf(record) };
    await refuses(store.transition({ ...keyOf(record), from: ["running"], to: "lost", confirmed }), "invalid_argument");
    await refuses(store.confirm([report(record, revisionsOf(record), { bootId: "a\nb" })]), "invalid_argument");
  });
});

type Step = readonly [
  "create" | "adopt" | "edit" | "confirm" | "next" | "remove" | "claim" | "epoch" | "verify",
  number,
  number,
];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom("create", "adopt", "edit", "edit", "confirm", "next", "next", "remove", "claim", "epoch", "verify"),
  fc.nat(5),
  fc.nat(8),
);

/** Does one thing to one sandbox; what the state refuses is refused. */
async function perform(teamId: string, sandboxes: string[], [what, which, how]: Step): Promise<void> {
  if (what === "create" || what === "adopt") {
    const metadata = tags({ [`k${how % 3}`]: `v${how}` });
    const wanted = await newRecord(store, teamId, { metadata, lifetimeMs: how, templateAlias: `a${how % 2}` });
    sandboxes.push(wanted.sandboxId);
    if (what === "create") await store.create(wanted, 1000);
    else await store.adopt(await manifest(store, teamId, { sandboxId: wanted.sandboxId, templateId: `t${how}` }));
    return;
  }
  const sandboxId = sandboxes[which % Math.max(1, sandboxes.length)];
  const record = sandboxId === undefined ? undefined : await store.get(teamId, sandboxId);
  if (record === undefined) return;
  const key = keyOf(record);
  const ways = {
    creating: ["running", "killing"],
    running: ["pausing", "snapshotting", "killing", "lost"],
    pausing: ["paused", "running", "lost"],
    paused: ["resuming", "killing", "lost"],
    resuming: ["running", "paused", "lost"],
    snapshotting: ["running", "lost"],
    killing: [],
    lost: ["running", "paused", "killing"],
  } as const;
  const to = ways[record.state][how % Math.max(1, ways[record.state].length)];
  const applied = { ...revisionsOf(record), ...(how % 2 === 0 && { metadata: 0 }) };
  const next = { executionId: newExecutionId(), generation: record.generation + 1, nodeId: `node-${how % 2}` };
  const changes: Readonly<Record<Exclude<Step[0], "create" | "adopt">, () => Promise<unknown>>> = {
    edit: async () =>
      store.editMetadata(await metadataEdit(store, record, { [`k${how % 3}`]: how > 5 ? null : `v${how}` })),
    confirm: () => store.confirm([report(record, applied, { bootId: `boot-${how % 3}` })]),
    next: async () => to && store.transition({ ...key, from: [record.state], to, ...(to === "resuming" && { next }) }),
    remove: () => store.remove(key),
    claim: () => store.claimEnded(key, "killing", 1000),
    epoch: () => (how === 0 ? newEpoch(store) : Promise.resolve()),
    verify: () => verifyOne(store, record, { fully: how % 2 === 0, ownNode: how % 3 === 0 ? "forgotten" : "reported" }),
  };
  await changes[what]().catch((error: { code?: string; message?: string }) => {
    const refused = error.code === "conflict" || error.code === "not_found";
    if (!refused && !error.message?.includes("waits for the nodes")) throw error;
  });
}

/** Works out every index from the records, and compares it with what stands in Redis. */
async function expectIndexesToAgree(teamId: string, sandboxes: readonly string[]): Promise<void> {
  const prefix = `cs:{${teamId}}:`;
  const records = (await Promise.all(sandboxes.map((id) => store.get(teamId, id)))).filter((one) => one !== undefined);
  const expected = new Map<string, string[]>();
  const add = (key: string, member: string) => expected.set(key, [...(expected.get(key) ?? []), member].sort());
  for (const record of records) {
    const { state, sandboxId, startedAt } = record;
    const member = `${String(Number.MAX_SAFE_INTEGER - startedAt).padStart(16, "0")}${sandboxId}`;
    const shown = { running: "r", snapshotting: "r", lost: "r", pausing: "p", paused: "p", resuming: "p" };
    const letter = state in shown ? Object.entries(shown).find(([name]) => name === state)?.[1] : undefined;
    if (letter) {
      add(`l:${letter}`, member);
      const names = [record.templateId, record.templateAlias].flatMap((name) =>
        name ? [`t${JSON.stringify(name)}`] : [],
      );
      const tagged = [...record.metadata.value].map(([key, value]) => `m${key}\t${value}`);
      for (const label of [...tagged, ...names]) {
        add(`b:${letter}:${label.length <= 64 ? `=${label}` : `#${sha1(label)}`}`, member);
      }
    }
    add(`n:${record.nodeId}`, sandboxId);
    if (state !== "paused" && state !== "killing") add("live", sandboxId);
    if (state === "running") add("ends", sandboxId);
    if (record.stateDeadline !== undefined) add("states", sandboxId);
    const isCurrent = (["metadata", "endTime", "egress"] as const).every(
      (field) => record[field].applied === record[field].revision,
    );
    if ((state === "running" || state === "snapshotting") && !isCurrent) add("push", sandboxId);
  }
  const found = new Map<string, string[]>();
  for (const key of await redis.keys(`${prefix}*`)) {
    const name = key.slice(prefix.length);
    if (/^(epoch|events|team|([dhiosx]|k[mt]?):.*)$/.test(name)) continue;
    const members = name === "live" ? await redis.smembers(key) : await redis.zrange(key, 0, -1);
    found.set(name, members.sort());
  }
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
