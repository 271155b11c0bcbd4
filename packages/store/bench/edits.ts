/**
 * How many metadata edits a store commits, the way the API sends them: `node --conditions=source bench/edits.ts
 * [seconds] [concurrency…]`. Every store is opened in a directory of its own; Redis is a server of its own.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newExecutionId, newOperationId, newSandboxId, type SandboxRecord } from "@castellan/domain";
import { openRedisStore, openSqliteStore, type SandboxStore, type StoreLogger } from "@castellan/store";
import { startRedisServer } from "@castellan/store/testing";
import { Redis } from "ioredis";

const seconds = Number(process.argv[2] ?? 3);
const levels = process.argv.slice(3).map(Number);
const quiet = () => undefined;
const logger: StoreLogger = { debug: quiet, info: quiet, warn: quiet, error: quiet };

await benchSqlite("normal");
await benchSqlite("full");
await benchRedis("everysec");
await benchRedis("always");

async function benchSqlite(synchronous: "full" | "normal"): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "castellan-bench-"));
  const store = await openSqliteStore(join(directory, "store.db"), { logger, synchronous });
  try {
    await bench(`SQLite, synchronous=${synchronous}`, store);
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

async function benchRedis(appendfsync: "always" | "everysec"): Promise<void> {
  const server = await startRedisServer({ appendonly: true, appendfsync });
  const store = await openRedisStore(server.url, { logger });
  try {
    await bench(`Redis, appendfsync=${appendfsync}`, store);
    const redis = new Redis(server.url);
    const stats = /cmdstat_evalsha:.*usec_per_call=([\d.]+)/.exec(await redis.info("commandstats"));
    console.log(`Redis, appendfsync=${appendfsync}: ${stats?.[1]} µs in the server for a script, on average`);
    redis.disconnect();
  } finally {
    await store.close();
    await server.stop();
  }
}

async function bench(name: string, store: SandboxStore): Promise<void> {
  const sandboxes = await running(store, 100);
  for (const concurrency of levels.length > 0 ? levels : [1, 32, 128, 512]) {
    const edits = await measure(concurrency, (n) => edit(store, sandboxes, n));
    console.log(`${name}: edits, ${concurrency} at once: ${edits}`);
  }
  const both = await measure(128, async (n) => confirm(store, await edit(store, sandboxes, n)));
  console.log(`${name}: edit and confirm, 128 at once: ${both}`);
  const pages = await measure(8, () =>
    store.list("bench", {
      states: ["running", "paused"],
      filter: new Map([["owner", "a"]]),
      order: "desc",
      limit: 100,
    }),
  );
  console.log(`${name}: pages of 100 by a tag, 8 at once: ${pages}`);
}

async function measure(concurrency: number, operation: (n: number) => Promise<unknown>): Promise<string> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const until = performance.now() + seconds * 1000;
  const started = performance.now();
  let n = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < until) {
        n += 1;
        const sent = performance.now();
        await operation(n);
        latencies.push(performance.now() - sent);
      }
    }),
  );
  const rate = Math.round(latencies.length / ((performance.now() - started) / 1000));
  const { user, system } = process.cpuUsage(cpu);
  const micros = Math.round((user + system) / latencies.length);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2);
  return `${rate}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${micros} µs of CPU each`;
}

async function edit(store: SandboxStore, sandboxes: readonly SandboxRecord[], n: number): Promise<SandboxRecord> {
  const sandbox = sandboxes[n % sandboxes.length];
  if (sandbox === undefined) throw new Error("No sandbox");
  const { record } = await store.editMetadata({
    teamId: "bench",
    sandboxId: sandbox.sandboxId,
    operationId: newOperationId(),
    epoch: sandbox.epoch,
    delta: new Map([["step", String(n)]]),
    apiKeyId: "key",
  });
  return record;
}

async function confirm(store: SandboxStore, record: SandboxRecord): Promise<void> {
  const { teamId, sandboxId, executionId, epoch } = record;
  const applied = {
    metadata: record.metadata.revision,
    endTime: record.endTime.revision,
    egress: record.egress.revision,
  };
  await store.confirm([{ teamId, sandboxId, executionId, epoch, bootId: "boot", applied }]);
}

async function running(store: SandboxStore, count: number): Promise<SandboxRecord[]> {
  await store.putTeam({ teamId: "bench", name: "bench", maxConcurrentSandboxes: count });
  const epoch = await store.epoch();
  return Promise.all(
    Array.from({ length: count }, async () => {
      const { sandboxId, executionId } = await store.create(
        {
          sandboxId: newSandboxId(),
          executionId: newExecutionId(),
          teamId: "bench",
          apiKeyId: "key",
          nodeId: "node",
          templateId: "base",
          resources: { cpuCount: 2, memoryMb: 512, diskMb: 1024 },
          lifecycle: { autoPause: false, autoPauseMemory: true, autoResume: false },
          envdVersion: "0.6.13",
          envVars: {},
          metadata: new Map([
            ["owner", "a"],
            ["purpose", "bench"],
            ["step", "0"],
          ]),
          lifetimeMs: 3_600_000,
          egress: { allowOut: [], denyOut: [] },
          deadlineMs: 60_000,
          epoch,
        },
        count,
      );
      return store.transition({ teamId: "bench", sandboxId, executionId, from: ["creating"], to: "running" });
    }),
  );
}
