import { createHash } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterName, openStore, type SandboxStore } from "@castellan/store";
import {
  appendOnlyLength,
  cutAppendOnly,
  type RedisServer,
  startRedisServer,
  startTcpProxy,
  type TcpProxy,
} from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Cluster, clusterToken, eventually, field, numberField, startCluster } from "../testing/cluster.ts";

/** An append-only Redis behind an address that can come to name another one, a control plane, and two nodes. */
describe("a Redis that has forgotten", () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let store: SandboxStore;
  let cluster: Cluster;
  let directory: string;
  const cleanUps: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    const begin = async <T>(opening: Promise<T>, close: (opened: T) => Promise<unknown>): Promise<T> => {
      const opened = await opening;
      cleanUps.push(() => close(opened));
      return opened;
    };
    const removing = (path: string) => rm(path, { recursive: true, force: true });
    directory = await begin(mkdtemp(join(tmpdir(), "castellan-backup-")), removing);
    redis = await begin(startRedisServer({ appendonly: true }), (server) => server.stop());
    proxy = await begin(startTcpProxy(redis.port), (one) => one.close());
    const logger = createLogger("test", "silent");
    const url = `redis://127.0.0.1:${proxy.port}`;
    store = await openStore(url, { logger, pushGraceMs: 200, cluster: clusterName(clusterToken) });
    cluster = await begin(startCluster({ store, nodes: 2 }), (one) => one[Symbol.asyncDispose]());
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const nodeOf = (id: string) => cluster.nodes.find((node) => node.sandboxes.has(id));

  /** Reads until there is an answer, and fails on one that lacks what was acknowledged. */
  async function expectKept(id: string, expected: Readonly<Record<string, string>>): Promise<void> {
    await eventually(async () => expect((await cluster.patch(id, { after: "1" })).status).toBe(200));
    expect(await cluster.metadata(id)).toEqual({ ...expected, after: "1" });
    expect(nodeOf(id)?.sandboxes.get(id)?.metadata).toEqual(new Map(Object.entries({ ...expected, after: "1" })));
  }

  /** Every answer while `run` goes on, of reading and of editing without effect. */
  async function watching(id: string, run: () => Promise<void>): Promise<unknown[]> {
    const seen: unknown[] = [];
    let over = false;
    const watch = (async () => {
      while (!over) {
        const answer = await cluster.call("GET", `/sandboxes/${id}/metadata`).catch(() => undefined);
        if (answer?.status === 200) seen.push(field(answer.body, "metadata"));
        if (answer?.status === 404) seen.push("not found");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await run();
    over = true;
    await watch;
    return seen;
  }

  test("its tail: edits that had reached a node come back, and no answer ever lacks them", async () => {
    const id = await cluster.create({ metadata: { a: "1" } });
    const length = await appendOnlyLength(redis.directory);
    const edited = await cluster.patch(id, { b: "2", a: null });
    expect(edited.status).toBe(200);
    const seen = await watching(id, async () => {
      await redis.kill();
      await cutAppendOnly(redis.directory, length);
      await redis.restart();
      await eventually(async () => expect((await cluster.call("GET", `/sandboxes/${id}/metadata`)).status).toBe(200));
    });
    expect((await store.locate(id))?.metadata.revision).toBe(numberField(edited.body, "revision"));
    expect(seen.filter((one) => JSON.stringify(one) !== JSON.stringify({ b: "2" }))).toEqual([]);
    await expectKept(id, { b: "2" });
  });

  test("its tail: a sandbox whose creation was answered and forgotten is not ended, nor one whose end was moved", async () => {
    const extended = await cluster.create({ timeout: 2 });
    const before = await appendOnlyLength(redis.directory);
    const created = await cluster.create({ metadata: { a: "1" } });
    expect((await cluster.call("POST", `/sandboxes/${extended}/timeout`, { body: { timeout: 600 } })).status).toBe(204);
    await eventually(() => expect(nodeOf(extended)?.sandboxes.get(extended)?.endTime).toBeDefined());
    await redis.kill();
    await cutAppendOnly(redis.directory, before);
    // The end as the store remembers it passes while it is away.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await redis.restart();
    await expectKept(created, { a: "1" });
    await expectKept(extended, {});
    expect((await store.locate(extended))?.endTime.value).toBeGreaterThan((await store.now()) + 300_000_000);
  });

  test.each(["flushed", "started with an empty directory"])(
    "everything, %s: what the nodes run comes back",
    async (way) => {
      const id = await cluster.create({ metadata: { a: "1" } });
      await cluster.patch(id, { b: "2" });
      const { revision } = (await store.locate(id))?.metadata ?? {};
      if (way === "flushed") {
        const admin = new Redis(redis.url);
        await admin.flushall();
        admin.disconnect();
      } else {
        await redis.kill();
        await rm(join(redis.directory, "appendonlydir"), { recursive: true, force: true });
        await rm(join(redis.directory, "appendonly.aof"), { force: true });
        await redis.restart();
      }
      // Teams and keys come from the bootstrap file.
      await eventually(() => putTeam());
      await eventually(async () => expect((await store.locate(id))?.metadata).toMatchObject({ revision }));
      await expectKept(id, { a: "1", b: "2" });
      expect((await store.listNodes()).map(({ nodeId }) => nodeId)).toEqual(["node1", "node2"]);
    },
  );

  test.each(["at another server that was behind", "from a backup that was put back"])(
    "what came after a copy of it: it goes on %s",
    async (way) => {
      const id = await cluster.create({ metadata: { a: "1" } });
      await cp(redis.directory, directory, { recursive: true });
      expect((await cluster.patch(id, { b: "2" })).status).toBe(200);
      const { epoch } = (await store.locate(id)) ?? { epoch: 0 };
      if (way.startsWith("at another")) {
        const other = await startRedisServer({ appendonly: true });
        cleanUps.push(() => other.stop());
        await replaceDirectory(other);
        proxy.target = other.port;
        proxy.cut();
      } else await replaceDirectory(redis);
      await eventually(async () => expect(await store.epoch()).toBeGreaterThan(epoch));
      await expectKept(id, { a: "1", b: "2" });
    },
  );

  test("nothing, but is another cluster's: it is refused, and nothing of it is touched", async () => {
    const id = await cluster.create({ metadata: { a: "1" } });
    const foreign = await startRedisServer();
    cleanUps.push(() => foreign.stop());
    const logger = createLogger("test", "silent");
    const theirs = await openStore(foreign.url, { logger, cluster: clusterName("the token of another cluster") });
    cleanUps.push(() => theirs.close());
    proxy.target = foreign.port;
    proxy.cut();
    await eventually(async () => {
      await expect(store.now()).rejects.toMatchObject({ message: expect.stringContaining("store of another cluster") });
    });
    expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBeGreaterThanOrEqual(500);
    await expect(cluster.node.register(cluster.registry)).rejects.toThrow();
    expect(await theirs.listNodes()).toEqual([]);
    expect(await theirs.locate(id)).toBeUndefined();
    expect(nodeOf(id)).toBeDefined();

    proxy.target = redis.port;
    proxy.cut();
    await expectKept(id, { a: "1" });
  });

  async function putTeam(): Promise<void> {
    await store.putTeam({ teamId: "team1", name: "team1", maxConcurrentSandboxes: 100 });
    const keyHash = createHash("sha256").update(cluster.key).digest("hex");
    await store.putApiKey({ apiKeyId: "key-of-team1", teamId: "team1", name: "test" }, keyHash);
  }

  async function replaceDirectory(server: RedisServer): Promise<void> {
    await server.kill();
    await rm(server.directory, { recursive: true, force: true });
    await cp(directory, server.directory, { recursive: true });
    await server.restart();
  }
});
