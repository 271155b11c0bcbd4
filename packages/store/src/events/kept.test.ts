import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it, vi } from "vitest";
import { edit, newTeam, quietLogger, runOne } from "../contract/fixture.ts";
import { openStore } from "../open.ts";
import { startRedisServer } from "../testing/redis-server.ts";
import { eventsKept } from "./limits.ts";

/** As old as can be, and one that is kept. */
const old = 1_700_000_000_000_000;
const text = (n: number) => `1\nupdated\ni${n}\ne1\n"base"\n\n${old}\n1\n1\nfound\n\n`;

describe("what is kept of a team's events", () => {
  afterEach(() => vi.restoreAllMocks());

  it("is bounded by number and age in Redis", async () => {
    const server = await startRedisServer();
    const store = await openStore(server.url, { logger: quietLogger });
    const redis = new Redis(server.url);
    try {
      const teamId = await newTeam(store);
      const record = await runOne(store, teamId);
      const key = `cs:{${teamId}}:events`;
      const now = await store.now();
      const fill = async (from: number, count: number) => {
        for (let n = 0; n < count; n += 10_000) {
          const pipeline = redis.pipeline();
          for (let m = n; m < Math.min(count, n + 10_000); m += 1) pipeline.xadd(key, from + m, "e", text(m));
          await pipeline.exec();
        }
      };
      await redis.del(key);
      await fill(old, 1_000);
      expect((await store.listEvents(teamId, { order: "asc", limit: 10 })).events).toEqual([]);
      await fill(now - 60_000_000, eventsKept.count + 500);
      await edit(store, record, { a: "1" });
      const left = await redis.xlen(key);
      expect(left).toBeGreaterThanOrEqual(eventsKept.count);
      expect(left).toBeLessThan(eventsKept.count + 200);
      // One that is created looks after the age too.
      await redis.xtrim(key, "MAXLEN", 0);
      await redis.del(key);
      await fill(old, 1_000);
      await runOne(store, teamId);
      expect(await redis.xlen(key)).toBeLessThan(200);
    } finally {
      redis.disconnect();
      await store.close();
      await server.stop();
    }
  }, 60_000);

  it("is bounded by number, bytes and age in SQLite", async () => {
    const directory = await mkdtemp(join(tmpdir(), "castellan-events-"));
    const path = join(directory, "store.db");
    vi.spyOn(Math, "random").mockReturnValue(0);
    let store = await openStore(path, { logger: quietLogger });
    try {
      const teamId = await newTeam(store);
      const now = await store.now();
      const leftAfter = async (from: number, count: number, bytes: number) => {
        await store.close();
        const db = new DatabaseSync(path);
        db.exec("DELETE FROM events");
        db.prepare(
          `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
           INSERT INTO events SELECT ?, ? + n, 'i1', 'updated', ?, n, n * ? FROM n`,
        ).run(count, teamId, from, text(1), bytes);
        db.close();
        store = await openStore(path, { logger: quietLogger });
        await runOne(store, teamId);
        await store.close();
        const after = new DatabaseSync(path);
        const left = Number(after.prepare("SELECT count(*) AS count FROM events").get()?.["count"]);
        after.close();
        store = await openStore(path, { logger: quietLogger });
        return left;
      };
      expect(await leftAfter(now - 60_000_000, eventsKept.count + 500, 10)).toBe(eventsKept.count);
      expect(await leftAfter(now - 60_000_000, 1_000, eventsKept.bytes / 128)).toBeLessThanOrEqual(129);
      expect(await leftAfter(old, 1_000, 10)).toBe(1);
    } finally {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    }
  }, 60_000);
});
