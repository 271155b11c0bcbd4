import { newOperationId } from "@castellan/domain";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOne, edit, idsOf, manifest, newTeam, quietLogger, runOne, tags } from "../contract/fixture.ts";
import { openStore } from "../open.ts";
import { candidatesPerStep } from "../options.ts";
import type { SandboxStore } from "../store.ts";
import { type RedisServer, startRedisServer } from "../testing/redis-server.ts";

let server: RedisServer;
let store: SandboxStore;
let redis: Redis;
beforeAll(async () => {
  server = await startRedisServer();
  store = await openStore(server.url, { logger: quietLogger, pushGraceMs: 1 });
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis?.disconnect();
  await store?.close();
  await server?.stop();
});

/** How many scripts the server has run. */
async function scriptCalls(): Promise<number> {
  const stats = await redis.info("commandstats");
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

describe("looking for work across teams", () => {
  it("finds the due of hundreds of teams, each once, the most urgent first, and asks few others", async () => {
    const teams = await Promise.all(Array.from({ length: 300 }, () => newTeam(store)));
    // A first look puts the teams off in which nothing runs.
    await store.listPushDue(1000);
    const records = [];
    for (const teamId of teams.slice(0, 150)) records.push(await runOne(store, teamId));
    for (const record of records) await edit(store, record, { a: "1" });
    const wanted = idsOf(records).sort();
    await expect.poll(async () => idsOf(await store.listPushDue(1000)).sort(), { timeout: 10_000 }).toEqual(wanted);
    const found = await store.listPushDue(1000);
    expect(new Set(idsOf(found)).size).toBe(found.length);
    expect(found.map(({ metadata }) => metadata.revision)).toEqual(
      found.map(({ metadata }) => metadata.revision).toSorted((a, b) => a - b),
    );
    expect(idsOf(await store.listPushDue(7))).toHaveLength(7);

    // Once they were looked at, teams with no end in sight are not asked again for a while.
    await store.listEnded(1000);
    const before = await scriptCalls();
    await store.listEnded(1000);
    expect((await scriptCalls()) - before).toBeLessThan(10);
  });

  it("finds more of one team than one script reads", async () => {
    const teamId = await newTeam(store);
    const records = await Promise.all(Array.from({ length: 250 }, () => runOne(store, teamId, { lifetimeMs: 1 })));
    const found = async () => idsOf(await store.listEnded(1000), teamId).sort();
    await expect.poll(found, { timeout: 5000 }).toEqual(idsOf(records).sort());
    expect(idsOf(await store.listEnded(220))).toHaveLength(220);
  });

  it("comes back to a team that somebody took and never looked at", async () => {
    const teamId = await newTeam(store);
    const record = await runOne(store, teamId, { lifetimeMs: 1 });
    // As a process leaves it that dies between taking the team and looking at it.
    const soon = (await store.now()) + 300_000;
    await redis.zadd("cs:work:ends", "XX", soon, teamId);
    expect(idsOf(await store.listEnded(1000), teamId)).toEqual([]);
    await expect
      .poll(async () => idsOf(await store.listEnded(1000), teamId), { timeout: 5000 })
      .toEqual([record.sandboxId]);
  });

  it("finds an end that is near, however often somebody looks meanwhile", async () => {
    const found = new Set<string>();
    let looking = true;
    const looks = (async () => {
      while (looking) for (const { sandboxId } of await store.listEnded(1000)) found.add(sandboxId);
    })();
    try {
      const wanted: string[] = [];
      for (let n = 0; n < 30; n += 1) {
        const teamId = await newTeam(store);
        const long = await runOne(store, teamId);
        const { epoch, sandboxId } = n % 2 === 0 ? long : await runOne(store, teamId, { lifetimeMs: 100 });
        const sooner = { lifetimeMs: 100, mode: "set", operationId: newOperationId() } as const;
        if (sandboxId === long.sandboxId) await store.editEndTime({ teamId, sandboxId, epoch, ...sooner });
        wanted.push(sandboxId);
      }
      // Sooner than a team is looked at that was put off.
      await expect.poll(() => wanted.filter((id) => !found.has(id)), { timeout: 4_000 }).toEqual([]);
    } finally {
      looking = false;
      await looks;
    }
  });

  it("expects work before it is there, so that a crash in between loses none", async () => {
    const teamId = await newTeam(store);
    // After a look, the team is put off for seconds.
    await store.listEnded(1000);
    await store.listOverdue(1000);
    const record = await createOne(store, teamId, { lifetimeMs: 500, deadlineMs: 400 });
    const isExpected = async (work: string, at: number) =>
      Number(await redis.zscore(`cs:work:${work}`, teamId)) <= at ? "expected" : "forgotten";
    expect(await isExpected("states", record.stateDeadline ?? 0)).toBe("expected");
    expect(await isExpected("ends", record.endTime.value)).toBe("expected");
  });
});

describe("a listing in Redis", () => {
  it("looks at a bounded number of entries per script, and is not held up by tags that never meet", async () => {
    const teamId = await newTeam(store);
    const each = 2100;
    for (let i = 0; i < 2 * each; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const value = (i + n) % 2 === 0 ? tags({ even: "1", all: "1" }) : tags({ odd: "1", all: "1" });
          await store.adopt(await manifest(store, teamId, { metadata: { value, revision: 1 } }));
        }),
      );
    }
    const query = { states: ["running", "paused"], order: "desc", limit: 100 } as const;
    const before = await scriptCalls();
    expect(await store.list(teamId, { ...query, filter: tags({ even: "1", odd: "1" }) })).toEqual({ sandboxes: [] });
    // The store's own look for work, every few seconds, may count too.
    const steps = (await scriptCalls()) - before;
    expect(steps).toBeGreaterThanOrEqual(each / candidatesPerStep);
    expect(steps).toBeLessThan(each / candidatesPerStep + 4);
    expect(await store.countRunning(teamId, tags({ even: "1", odd: "1" }))).toBe(0);
    expect(await store.countRunning(teamId, tags({ even: "1", all: "1" }))).toBe(each);

    // The rarest tag leads, so that a common one beside it costs nothing.
    const rare = await runOne(store, teamId, { metadata: tags({ all: "1", rare: "1" }) });
    const single = await scriptCalls();
    const filter = tags({ all: "1", rare: "1" });
    expect(idsOf((await store.list(teamId, { ...query, filter })).sandboxes)).toEqual([rare.sandboxId]);
    expect((await scriptCalls()) - single).toBeLessThan(4);
  }, 120_000);
});
