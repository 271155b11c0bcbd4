/**
 * How many metadata edits a store commits, the way the API sends them:
 *
 *     node --conditions=source packages/store/bench/edits.ts [seconds] [concurrency…]
 */
import { newOperationId, type SandboxRecord } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import { Redis } from "ioredis";
import { measure, running, withRedis, withSqlite } from "./subject.ts";

const seconds = Number(process.argv[2] ?? 3);
const levels = process.argv.slice(3).map(Number);

for (const synchronous of ["normal", "full"] as const) {
  await withSqlite(synchronous, (store) => bench(`SQLite, synchronous=${synchronous}`, store));
}
for (const appendfsync of ["everysec", "always"] as const) {
  await withRedis(appendfsync, async (store, server) => {
    const redis = new Redis(server.url);
    const sha = String(await redis.script("LOAD", "return redis.call('INCR', KEYS[1])"));
    const bare = await measure(128, seconds, () => redis.evalsha(sha, 1, "counter"));
    console.log(`Redis, appendfsync=${appendfsync}: one bare script call, 128 at once: ${bare}`);
    redis.disconnect();
    await bench(`Redis, appendfsync=${appendfsync}`, store);
  });
}

async function bench(name: string, store: SandboxStore): Promise<void> {
  const sandboxes = await running(store, 100, () => ({ owner: "a", purpose: "bench", step: "0" }));
  for (const concurrency of levels.length > 0 ? levels : [1, 32, 128, 512]) {
    const edits = await measure(concurrency, seconds, (n) => edit(store, sandboxes, n));
    console.log(`${name}: edits, ${concurrency} at once: ${edits}`);
  }
  const both = await measure(128, seconds, async (n) => confirm(store, await edit(store, sandboxes, n)));
  console.log(`${name}: edit and confirm, 128 at once: ${both}`);
}

async function edit(store: SandboxStore, sandboxes: readonly SandboxRecord[], n: number): Promise<SandboxRecord> {
  const sandbox = sandboxes[n % sandboxes.length];
  if (sandbox === undefined) throw new Error("No sandbox");
  const { record } = await store.editMetadata({
    teamId: sandbox.teamId,
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
