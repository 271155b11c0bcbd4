import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newExecutionId, newSandboxId, type SandboxRecord } from "@castellan/domain";
import { openRedisStore, openSqliteStore, type SandboxStore, type StoreLogger } from "@castellan/store";
import { type RedisServer, startRedisServer } from "@castellan/store/testing";

const quiet = () => undefined;
const logger: StoreLogger = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** A SQLite store in a directory of its own. */
export async function withSqlite(
  synchronous: "full" | "normal",
  run: (store: SandboxStore) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "castellan-bench-"));
  const store = await openSqliteStore(join(directory, "store.db"), { logger, synchronous });
  try {
    await run(store);
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

/** A store on a Redis server of its own, with an append-only file. */
export async function withRedis(
  appendfsync: "always" | "everysec",
  run: (store: SandboxStore, server: RedisServer) => Promise<void>,
): Promise<void> {
  const server = await startRedisServer({ appendonly: true, appendfsync });
  const store = await openRedisStore(server.url, { logger });
  try {
    await run(store, server);
  } finally {
    await store.close();
    await server.stop();
  }
}

/** Runs the operation over and over, so many at once; answers rate, latencies and this process's CPU time in words. */
export async function measure(
  concurrency: number,
  seconds: number,
  operation: (n: number) => Promise<unknown>,
): Promise<string> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const started = performance.now();
  const until = started + seconds * 1000;
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

/** Running sandboxes of the team `bench`, tagged with `metadata(i)`. */
export async function running(
  store: SandboxStore,
  count: number,
  metadata: (i: number) => Readonly<Record<string, string>>,
): Promise<SandboxRecord[]> {
  await store.putTeam({ teamId: "bench", name: "bench", maxConcurrentSandboxes: 1_000_000 });
  const epoch = await store.epoch();
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
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
          metadata: new Map(Object.entries(metadata(i))),
          lifetimeMs: 3_600_000,
          egress: { allowOut: [], denyOut: [] },
          deadlineMs: 60_000,
          epoch,
        },
        1_000_000,
      );
      return store.transition({ teamId: "bench", sandboxId, executionId, from: ["creating"], to: "running" });
    }),
  );
}
