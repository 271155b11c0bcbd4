import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newTeam, quietLogger, tags } from "./contract/fixture.ts";
import { normal, normalEvent, RandomChanges, type Step, steps } from "./contract/random-changes.ts";
import { openStore } from "./open.ts";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";
import type { SandboxStore } from "./store.ts";
import { type RedisServer, startRedisServer } from "./testing/redis-server.ts";

let server: RedisServer;
let directory: string;
let redis: SandboxStore;
let sqlite: SandboxStore;
beforeAll(async () => {
  server = await startRedisServer();
  directory = await mkdtemp(join(tmpdir(), "castellan-equivalence-"));
  redis = await openStore(server.url, { logger: quietLogger });
  sqlite = await openSqliteStore(join(directory, "store.db"), { logger: quietLogger, synchronous: "normal" });
});
afterAll(async () => {
  await redis?.close();
  await sqlite?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe("Redis and SQLite", () => {
  it("answer the same to any sequence of changes, and show the same afterwards", async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const teamId = await newTeam(redis);
        await sqlite.putTeam({ teamId, name: teamId, maxConcurrentSandboxes: 4 });
        const [left, right] = await Promise.all([run(redis, teamId, sequence), run(sqlite, teamId, sequence)]);
        expect(left).toEqual(right);
        for (const outcome of right.outcomes) {
          const kind = typeof outcome === "string" ? outcome.replace(/ ".*"/, "") : typeof outcome;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }),
      { numRuns: 100 },
    );
    // The sequences get around: refusals of every kind are among the outcomes.
    const kinds = [...seen.keys()].join("\n");
    for (const kind of ["not_found", "conflict", "quota_exceeded", "precondition_failed", "key_reused", "object"]) {
      expect(kinds).toContain(kind);
    }
  }, 120_000);
});

async function run(store: SandboxStore, teamId: string, sequence: readonly Step[]) {
  const changes = new RandomChanges(store, teamId);
  const outcomes: unknown[] = [];
  for (const step of sequence) outcomes.push(await changes.perform(step));
  const records = await Promise.all(changes.sandboxIds.map((sandboxId) => store.locate(sandboxId)));
  const list = async (filter: Readonly<Record<string, string>>, template?: string) => {
    const query = { states: ["running", "paused"], filter: tags(filter), order: "desc", limit: 100 } as const;
    const page = await store.list(teamId, template === undefined ? query : { ...query, template });
    return page.sandboxes.map(normal);
  };
  const histories = await Promise.all(
    changes.sandboxIds.map((sandboxId) => store.metadataHistory(teamId, sandboxId, { limit: 1_000 })),
  );
  return {
    outcomes,
    records: records.map(normal),
    histories: histories.map((page) => page?.entries.map(({ kind, delta, apiKeyId }) => ({ kind, delta, apiKeyId }))),
    lists: [await list({}), await list({ all: "1" }), await list({ k0: "v1", all: "1" }), await list({}, "t1")],
    events: (await store.listEvents(teamId, { order: "asc", limit: 1000 })).events.map(normalEvent),
    counts: [
      await store.countRunning(teamId, tags({})),
      await store.countRunning(teamId, tags({ k1: "v1", all: "1" })),
    ],
  };
}
