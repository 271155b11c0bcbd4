import { openStore, type SandboxStore } from "@castellan/store";
import { type RedisServer, startRedisServer } from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Cluster, eventually, field, numberField, startCluster } from "./testing/cluster.ts";

describe("two control planes over one Redis", () => {
  let redis: RedisServer;
  let first: Cluster;
  let second: Cluster;
  const stores: SandboxStore[] = [];
  const open = async () => {
    const store = await openStore(redis.url, { logger: createLogger("test", "silent"), pushGraceMs: 200 });
    stores.push(store);
    return store;
  };

  beforeAll(async () => {
    redis = await startRedisServer();
    first = await startCluster({ store: await open(), nodes: 2 });
    second = await startCluster({ store: await open(), nodes: 0 });
    // Both clusters made the team; the second one's key is a second key of it.
    await eventually(async () => expect(await second.call("GET", "/nodes")).toMatchObject({ body: [{}, {}] }));
  });
  beforeEach(() => {
    for (const node of first.nodes) node.arrived.length = 0;
  });
  afterAll(async () => {
    await second?.[Symbol.asyncDispose]();
    await first?.[Symbol.asyncDispose]();
    await redis?.stop();
  });

  const nodeOf = (id: string) => first.nodes.find((node) => node.sandboxes.has(id));

  test("what one creates the other finds, edits, extends and kills", async () => {
    const id = await first.create({ metadata: { a: "1" } });
    expect((await second.call("GET", `/sandboxes/${id}`)).status).toBe(200);
    const edited = await second.patch(id, { b: "2" });
    expect([edited.status, field(edited.body, "metadata")]).toEqual([200, { a: "1", b: "2" }]);
    expect(await first.metadata(id)).toEqual({ a: "1", b: "2" });
    expect((await second.call("POST", `/sandboxes/${id}/timeout`, { body: { timeout: 60 } })).status).toBe(204);
    expect((await second.call("DELETE", `/sandboxes/${id}`)).status).toBe(204);
    expect(nodeOf(id)).toBeUndefined();
    expect((await first.call("GET", `/sandboxes/${id}`)).status).toBe(404);
  });

  test("concurrent edits through both lose nothing, and the node ends with what the store has", async () => {
    const id = await first.create();
    const keys = Array.from({ length: 80 }, (_, n) => `k${n}`);
    const answers = await Promise.all(
      keys.map((key, n) => (n % 2 === 0 ? first : second).patch(id, { [key]: key, shared: key })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const { body } = await first.call("GET", `/sandboxes/${id}/metadata`);
    expect(Object.keys(Object(field(body, "metadata"))).sort()).toEqual([...keys, "shared"].sort());
    await eventually(() => {
      const sandbox = nodeOf(id)?.sandboxes.get(id);
      expect(sandbox?.applied.metadata).toBe(BigInt(numberField(body, "revision")));
      expect(Object.fromEntries(sandbox?.metadata ?? [])).toEqual(field(body, "metadata"));
    });
  });

  test("If-Match lets one of many win, whoever they ask", async () => {
    const id = await first.create();
    const revision = numberField((await first.call("GET", `/sandboxes/${id}/metadata`)).body, "revision");
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        (n % 2 === 0 ? first : second).patch(id, { winner: String(n) }, { "If-Match": `"${revision}"` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(11);
  });

  test("the end of a life is carried out once, by either", async () => {
    const id = await second.create({ timeout: 1 });
    await eventually(async () => {
      expect(await first.store.locate(id)).toBeUndefined();
      expect(nodeOf(id)).toBeUndefined();
    });
  });

  test("a Redis that does not answer is a 503, and nothing is taken for gone", async () => {
    const id = await first.create();
    redis.suspend();
    try {
      const answer = await first.call("GET", `/sandboxes/${id}`);
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
      await expect(first.control.locate(id)).rejects.toMatchObject({ code: "unavailable" });
      expect((await first.patch(id, { a: "1" })).status).toBe(503);
    } finally {
      redis.resume();
    }
    await eventually(async () => expect((await first.call("GET", `/sandboxes/${id}`)).status).toBe(200));
    expect(nodeOf(id)).toBeDefined();
  });
});
