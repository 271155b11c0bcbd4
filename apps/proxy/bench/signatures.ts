import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newExecutionId, newSandboxId } from "@castellan/domain";
import { openStore, type SandboxStore } from "@castellan/store";
import { startRedisServer } from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { defaultLimits } from "../src/index.ts";
import { SignatureSearch } from "../src/signatures/signature-search.ts";
import { signedUrlOf } from "../src/signatures/signed-url.ts";
import { signed } from "../src/testing/signing.ts";

/**
 * What a signed URL without a sandbox costs among 1,000 and 10,000 secure sandboxes, on both stores: the first search of
 * a process, one for a sandbox that is known, and one that finds nothing and asks the store once.
 *
 *     node --conditions=source apps/proxy/bench/signatures.ts
 */
const limits = { ...defaultLimits, searchesPerClient: 1e9, searchesOverall: 1e9 };
const rounds = 50;

const directory = await mkdtemp(join(tmpdir(), "castellan-signatures-"));
const logger = createLogger("bench", "silent");
const redis = await startRedisServer({ cluster: false });
try {
  for (const url of [`sqlite:${join(directory, "store.db")}`, redis.url]) {
    const store = await openStore(url, { logger });
    await store.putTeam({ teamId: "bench", name: "bench", maxConcurrentSandboxes: 1e6 });
    let made = 0;
    for (const count of [1_000, 10_000]) {
      for (; made < count; made += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => add(store, made + i)));
      const search = new SignatureSearch((after, most) => store.listAccessTokens(after, most), limits);
      const first = await time(1, () => find(search, `token-${count / 2}`));
      const known = await time(rounds, () => find(search, `token-${count / 2}`));
      const unknown = await time(rounds, () => find(search, "nobody"));
      const ms = [first, known, unknown].map((one) => one.toFixed(1));
      process.stdout.write(`${store.describe().kind} ${count}: first ${ms[0]} ms, known ${ms[1]}, unknown ${ms[2]}\n`);
    }
    await store.close();
  }
} finally {
  await redis.stop();
  await rm(directory, { recursive: true, force: true });
}

async function find(search: SignatureSearch, token: string): Promise<void> {
  const url = signedUrlOf({ url: signed({ token, path: "/home/user/notes.txt" }), method: "GET" });
  if (url === undefined) throw new Error("not signed");
  const found = await search.find(url, "192.0.2.1");
  if ("refused" in found !== (token === "nobody")) throw new Error(`unexpected: ${JSON.stringify(found)}`);
}

/** The median, in milliseconds. */
async function time(times: number, work: () => Promise<void>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const start = performance.now();
    await work();
    taken.push(performance.now() - start);
  }
  return taken.sort((a, b) => a - b)[Math.floor(times / 2)] ?? Number.NaN;
}

async function add(store: SandboxStore, number: number): Promise<void> {
  await store.create(
    {
      teamId: "bench",
      sandboxId: newSandboxId(),
      executionId: newExecutionId(),
      apiKeyId: "key",
      nodeId: "node",
      templateId: "base",
      resources: { cpuCount: 1, memoryMb: 128, diskMb: 512 },
      lifecycle: { autoPause: false, autoPauseMemory: true, autoResume: false },
      envdVersion: "0.6.13",
      envdAccessToken: `token-${number}`,
      envVars: {},
      metadata: new Map(),
      lifetimeMs: 3_600_000,
      egress: { allowOut: [], denyOut: [] },
      deadlineMs: 3_600_000,
      epoch: await store.epoch(),
    },
    1e6,
  );
}
