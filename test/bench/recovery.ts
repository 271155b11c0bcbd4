import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@castellan/store";
import { startRedisServer } from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { defaultTiming } from "../../apps/api/src/options.ts";
import { type Cluster, startCluster } from "../../apps/api/src/testing/cluster.ts";
import { quantile } from "./load.ts";

export interface RecoveryFigures {
  readonly store: "redis" | "sqlite";
  readonly nodes: number;
  readonly sandboxes: number;
  /** Milliseconds from the moment at which the store answers again to the first 200 of each sandbox. */
  readonly waits: readonly number[];
}

const sandboxesPerNode = 4;
const watched = 10;

/**
 * How long edits wait in a new epoch, with nodes in this process that speak the nodes' contract over HTTP/2: after Redis
 * was killed and started again, and, as what the round of Lists alone takes, after an epoch that a SQLite store begins
 * while it is open.
 */
export async function measureRecovery(nodeCounts: readonly number[], runs: number): Promise<RecoveryFigures[]> {
  const figures: RecoveryFigures[] = [];
  const logger = createLogger("bench", "silent");
  for (const nodes of nodeCounts) {
    const redis = await startRedisServer({ appendonly: true });
    try {
      const cluster = await startCluster({
        store: await openStore(redis.url, { logger }),
        nodes,
        quota: 10_000,
        timing: defaultTiming,
      });
      figures.push(await measure("redis", cluster, nodes, runs, () => redis.kill().then(() => redis.restart())));
    } finally {
      await redis.stop();
    }
    const directory = await mkdtemp(join(tmpdir(), "castellan-bench-"));
    try {
      const store = await openStore(join(directory, "store.db"), { logger });
      const cluster = await startCluster({ store, nodes, quota: 10_000, timing: defaultTiming });
      const raise = async () => void (await store.raiseEpoch((await store.now()) + 1));
      figures.push(await measure("sqlite", cluster, nodes, runs, raise));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
  return figures;
}

async function measure(
  store: RecoveryFigures["store"],
  cluster: Cluster,
  nodes: number,
  runs: number,
  begin: () => Promise<void>,
): Promise<RecoveryFigures> {
  const keepAlive = setInterval(() => {
    for (const node of cluster.nodes) void node.register(cluster.registry).catch(() => undefined);
  }, defaultTiming.leaseMs / 3);
  try {
    const ids: string[] = [];
    for (let made = 0; made < nodes * sandboxesPerNode; made += 1) ids.push(await cluster.create());
    const sample = ids.filter((_, index) => index % Math.ceil(ids.length / watched) === 0);
    const waits: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      await Promise.all(sample.map((id) => firstOk(cluster, id, `before-${run}`)));
      await begin();
      const since = performance.now();
      waits.push(...(await Promise.all(sample.map((id) => firstOk(cluster, id, String(run), since)))));
    }
    return { store, nodes, sandboxes: ids.length, waits: waits.sort((a, b) => a - b) };
  } finally {
    clearInterval(keepAlive);
    await cluster[Symbol.asyncDispose]();
  }
}

/** Edits until it is answered with 200, every 5 ms. */
async function firstOk(cluster: Cluster, id: string, value: string, since = 0): Promise<number> {
  for (;;) {
    if ((await cluster.patch(id, { run: value })).status === 200) return performance.now() - since;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function describeRecovery({ store, nodes, sandboxes, waits }: RecoveryFigures): string {
  const at = (q: number) => quantile(waits, q).toFixed(0).padStart(8);
  const name = store === "redis" ? "Redis, killed and started again" : "SQLite, the round alone";
  return `${name.padEnd(33)}${String(nodes).padStart(5)}${String(sandboxes).padStart(11)}${at(0.5)}${at(0.95)}${at(1)}`;
}
