import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newExecutionId, newSandboxId } from "@castellan/domain";
import { openRedisStore, openSqliteStore, type SandboxStore } from "@castellan/store";
import { startRedisServer } from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { Redis } from "ioredis";

/** What one page of 100 costs, in milliseconds. */
export interface ListFigures {
  readonly store: "SQLite" | "Redis";
  readonly filter: string;
  readonly sandboxes: number;
  readonly p50: number;
  readonly p99: number;
  /** Redis only: the longest that one script held the server. */
  readonly longestScript?: number;
}

/** Half of the sandboxes are `even`, the others `odd`; a hundred are `rare`; all are `all`. */
const filters: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "no filter": {},
  "a tag of all": { all: "1" },
  "a tag of half": { half: "even" },
  "a rare and a common tag": { all: "1", rare: "1" },
  "two common tags that never meet": { even: "1", odd: "1" },
};

const team = "bench";
const logger = createLogger("bench", "silent");

/** Lists sandboxes of one team that has as many of them as each of `counts` says, on both stores. */
export async function measureLists(counts: readonly number[], pages: number): Promise<ListFigures[]> {
  const figures: ListFigures[] = [];
  for (const sandboxes of counts) {
    figures.push(...(await onSqlite(sandboxes, pages)), ...(await onRedis(sandboxes, pages)));
  }
  return figures;
}

async function onSqlite(sandboxes: number, pages: number): Promise<ListFigures[]> {
  const directory = await mkdtemp(join(tmpdir(), "castellan-bench-"));
  // How long a write takes to be safe plays no part in reading.
  const store = await openSqliteStore(join(directory, "store.db"), { logger, synchronous: "normal" });
  try {
    await fill(store, sandboxes);
    const figures: ListFigures[] = [];
    for (const [filter, tags] of Object.entries(filters)) {
      figures.push({ store: "SQLite", filter, sandboxes, ...(await timePages(store, tags, pages)) });
    }
    return figures;
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

async function onRedis(sandboxes: number, pages: number): Promise<ListFigures[]> {
  const server = await startRedisServer({ appendonly: true, appendfsync: "everysec" });
  const store = await openRedisStore(server.url, { logger });
  const redis = new Redis(server.url);
  try {
    await fill(store, sandboxes);
    await redis.config("SET", "slowlog-log-slower-than", "0");
    await redis.config("SET", "slowlog-max-len", "100000");
    const figures: ListFigures[] = [];
    for (const [filter, tags] of Object.entries(filters)) {
      await redis.slowlog("RESET");
      const times = await timePages(store, tags, pages);
      figures.push({ store: "Redis", filter, sandboxes, ...times, longestScript: await longestCommand(redis) });
    }
    return figures;
  } finally {
    redis.disconnect();
    await store.close();
    await server.stop();
  }
}

async function timePages(store: SandboxStore, tags: Readonly<Record<string, string>>, pages: number) {
  const filter = new Map(Object.entries(tags));
  const times: number[] = [];
  for (let page = 0; page < pages; page += 1) {
    const sent = performance.now();
    await store.list(team, { states: ["running", "paused"], filter, order: "desc", limit: 100 });
    times.push(performance.now() - sent);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Of what the server's slow log holds, in milliseconds. */
async function longestCommand(redis: Redis): Promise<number> {
  const entries: unknown = await redis.slowlog("GET", 100_000);
  if (!Array.isArray(entries)) throw new Error("The slow log is no list");
  return entries.reduce((longest: number, entry: unknown) => {
    const micros: unknown = Array.isArray(entry) ? entry[2] : undefined;
    return typeof micros === "number" ? Math.max(longest, micros / 1000) : longest;
  }, 0);
}

async function fill(store: SandboxStore, sandboxes: number): Promise<void> {
  await store.putTeam({ teamId: team, name: team, maxConcurrentSandboxes: sandboxes });
  const epoch = await store.epoch();
  const atOnce = 500;
  for (let first = 0; first < sandboxes; first += atOnce) {
    const count = Math.min(atOnce, sandboxes - first);
    await Promise.all(Array.from({ length: count }, (_, i) => addRunning(store, first + i, sandboxes, epoch)));
  }
}

/** As it is taken over from its node: a create counts the team's sandboxes, which takes its time with so many. */
async function addRunning(store: SandboxStore, number: number, sandboxes: number, epoch: number): Promise<void> {
  const side = number % 2 === 0 ? "even" : "odd";
  const tags = { all: "1", half: side, [side]: "1", ...(number % (sandboxes / 100) === 0 && { rare: "1" }) };
  const revision = epoch + number;
  await store.adopt({
    sandboxId: newSandboxId(),
    executionId: newExecutionId(),
    teamId: team,
    apiKeyId: "key",
    nodeId: "node",
    bootId: "boot",
    generation: 1,
    startedAt: revision,
    templateId: "base",
    resources: { cpuCount: 2, memoryMb: 512, diskMb: 1024 },
    lifecycle: { autoPause: false, autoPauseMemory: true, autoResume: false },
    envdVersion: "0.6.13",
    envVars: {},
    metadata: { value: new Map(Object.entries(tags)), revision },
    endTime: { value: revision + 3_600_000_000, revision },
    egress: { value: { allowOut: [], denyOut: [] }, revision },
    epoch,
  });
}
