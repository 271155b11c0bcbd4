import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, errorBody, eventually, gate, overriding, startCluster, stringField } from "./testing/cluster.ts";

describe("how long a sandbox lives", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const endsIn = async (id: string) => {
    const { body } = await cluster.call("GET", `/sandboxes/${id}`);
    return Math.round((Date.parse(stringField(body, "endAt")) - Date.now()) / 1000);
  };
  const post = (path: string, body?: unknown) => cluster.call("POST", path, { body });

  test("timeout sets the end, later or sooner, and the node has it when the answer comes", async () => {
    const id = await cluster.create({ timeout: 100 });
    expect((await post(`/sandboxes/${id}/timeout`, { timeout: 500 })).status).toBe(204);
    expect(await endsIn(id)).toBeCloseTo(500, -1);
    expect((await post(`/sandboxes/${id}/timeout`, { timeout: 50 })).status).toBe(204);
    expect(await endsIn(id)).toBeCloseTo(50, -1);
    const record = await cluster.store.get("team1", id);
    expect(cluster.node.sandboxes.get(id)?.applied.endTime).toBe(BigInt(record?.endTime.revision ?? -1));
  });

  test("refreshes extends and never shortens, by 15 s when nothing is said", async () => {
    const id = await cluster.create({ timeout: 5 });
    expect((await post(`/sandboxes/${id}/refreshes`)).status).toBe(204);
    expect(await endsIn(id)).toBeCloseTo(15, -1);
    expect((await post(`/sandboxes/${id}/refreshes`, { duration: 300 })).status).toBe(204);
    expect((await post(`/sandboxes/${id}/refreshes`, { duration: 10 })).status).toBe(204);
    expect(await endsIn(id)).toBeCloseTo(300, -1);
  });

  test("both connect routes extend and never shorten, and answer with what create answered", async () => {
    const created = await post("/v2/sandboxes", { templateID: "base", timeout: 100 });
    const id = stringField(created.body, "sandboxID");
    const connected = await post(`/sandboxes/${id}/connect`, { timeout: 10 });
    expect([connected.status, connected.body]).toEqual([200, created.body]);
    expect(await endsIn(id)).toBeCloseTo(100, -1);
    const again = await post(`/v2/sandboxes/${id}/connect`);
    expect([again.status, again.body]).toEqual([200, created.body]);
    expect(await endsIn(id)).toBeCloseTo(300, -1);
  });

  test("what makes no sense is a 400, what is not there a 404", async () => {
    const id = await cluster.create();
    expect((await post(`/sandboxes/${id}/timeout`, {})).status).toBe(400);
    expect((await post(`/sandboxes/${id}/timeout`, { timeout: -1 })).status).toBe(400);
    expect((await post(`/sandboxes/${id}/timeout`, { timeout: "5" })).status).toBe(400);
    expect((await post(`/sandboxes/${id}/timeout`, { timeout: 86_401 })).body).toEqual(
      errorBody(400, "Timeout cannot be greater than 24 hours"),
    );
    expect((await post(`/sandboxes/${id}/refreshes`, { duration: 3601 })).status).toBe(400);
    expect((await post(`/sandboxes/${id}/connect`)).status).toBe(400);
    const missing = errorBody(404, `Sandbox "gone" doesn't exist or you don't have access to it`);
    expect((await post("/sandboxes/gone/timeout", { timeout: 5 })).body).toEqual(missing);
    expect((await post("/sandboxes/gone/refreshes", {})).body).toEqual(missing);
    expect((await post("/v2/sandboxes/gone/connect", {})).body).toEqual(missing);
    const foreign = await cluster.addTeam("team2");
    const other = await cluster.call("POST", `/sandboxes/${id}/timeout`, { body: { timeout: 5 }, key: foreign });
    expect(other.status).toBe(404);
  });

  test("at its end a sandbox is ended on its node and is gone", async () => {
    const ended: string[] = [];
    const stop = cluster.control.onEnded((sandboxId) => ended.push(sandboxId));
    const id = await cluster.create({ timeout: 1 });
    await eventually(async () => {
      expect(cluster.node.sandboxes.has(id)).toBe(false);
      expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(404);
    });
    expect(ended).toEqual([id]);
    stop();
  });

  test("an extension that was acknowledged is never overtaken by the end", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => cluster.create({ timeout: 1 })));
    /** Extends at the last moment, and answers by how many milliseconds a promised end came too early. */
    const extendLate = async (id: string): Promise<number> => {
      let promised = 0;
      for (let count = 0; count < 4; count += 1) {
        const asked = performance.now();
        const answer = await post(`/sandboxes/${id}/timeout`, { timeout: 1 });
        if (answer.status !== 204) return Math.max(0, promised - performance.now());
        promised = asked + 1_000;
        await sleep(promised - performance.now() - 60 + Math.random() * 80);
      }
      return 0;
    };
    expect(await Promise.all(ids.map(extendLate))).toEqual(ids.map(() => 0));
  });
});

describe("ending a sandbox", () => {
  test("a kill is answered once the sandbox is gone from node and store, and tells whoever listens", async () => {
    await using cluster = await startCluster();
    const ended: string[] = [];
    cluster.control.onEnded((sandboxId) => ended.push(sandboxId));
    const id = await cluster.create();
    expect((await cluster.call("DELETE", `/sandboxes/${id}`)).status).toBe(204);
    expect(cluster.node.sandboxes.size).toBe(0);
    expect(await cluster.store.locate(id)).toBeUndefined();
    expect(await cluster.control.locate(id)).toBeUndefined();
    expect(ended).toEqual([id]);
    expect((await cluster.call("DELETE", `/sandboxes/${id}`)).status).toBe(404);
  });

  test("an id in the older form works, another team's sandbox and nonsense are not found", async () => {
    await using cluster = await startCluster();
    const id = await cluster.create();
    const foreign = await cluster.addTeam("team2");
    expect((await cluster.call("DELETE", `/sandboxes/${id}`, { key: foreign })).status).toBe(404);
    expect((await cluster.call("GET", `/sandboxes/${id}`, { key: foreign })).status).toBe(404);
    for (const bad of ["nonexistingsandbox", "UPPER", "a%20b", "%00", "é"]) {
      const answer = await cluster.call("DELETE", `/sandboxes/${bad}`);
      expect(answer.body).toEqual(errorBody(404, expect.stringMatching(/^Sandbox ".*" doesn't exist/)));
    }
    expect((await cluster.call("GET", `/sandboxes/${id}-castellan`)).status).toBe(200);
    expect((await cluster.call("DELETE", `/sandboxes/${id}-castellan`)).status).toBe(204);
  });

  test("concurrent kills all succeed", async () => {
    await using cluster = await startCluster();
    const id = await cluster.create();
    const answers = await Promise.all(Array.from({ length: 8 }, () => cluster.call("DELETE", `/sandboxes/${id}`)));
    expect(answers.filter(({ status }) => status !== 204 && status !== 404)).toEqual([]);
    expect(answers.filter(({ status }) => status === 204).length).toBeGreaterThan(0);
  });

  test("a kill that is overtaken by another one succeeds as well", async () => {
    await using cluster = await startCluster({ nodes: 0, loops: false });
    const { store } = cluster;
    const raced = overriding(store, {
      async transition(change) {
        if (change.to === "killing") await store.remove(change);
        return await store.transition(change);
      },
    });
    await using slower = await startCluster({ store: raced, closeStore: false });
    const id = await slower.create();
    expect((await slower.call("DELETE", `/sandboxes/${id}`)).status).toBe(204);
  });

  test("a kill whose node does not answer is a 503, and is carried out when the node is back", async () => {
    await using cluster = await startCluster({ timing: { callMs: 200 } });
    const id = await cluster.create();
    await cluster.node.down();
    const answer = await cluster.call("DELETE", `/sandboxes/${id}`);
    expect(answer.body).toEqual(errorBody(503, expect.stringContaining("does not answer")));
    expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(404);
    expect(await cluster.store.locate(id)).toMatchObject({ state: "killing" });
    await cluster.node.up();
    await eventually(async () => {
      expect(cluster.node.sandboxes.has(id)).toBe(false);
      expect(await cluster.store.locate(id)).toBeUndefined();
    });
  });

  test("a sandbox that is being killed is in no list", async () => {
    await using cluster = await startCluster();
    const id = await cluster.create();
    const [asked, answer] = [gate(), gate()];
    cluster.node.hooks.delete = async () => {
      asked.open();
      await answer.opened;
    };
    const kill = cluster.call("DELETE", `/sandboxes/${id}`);
    await asked.opened;
    expect((await cluster.call("GET", "/v2/sandboxes")).body).toEqual([]);
    expect((await cluster.call("GET", "/sandboxes")).body).toEqual([]);
    expect((await cluster.call("POST", `/v2/sandboxes/${id}/connect`)).body).toEqual(
      errorBody(409, `Sandbox "${id}" is being killed`),
    );
    answer.open();
    expect((await kill).status).toBe(204);
  });
});
