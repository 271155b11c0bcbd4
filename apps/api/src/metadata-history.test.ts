import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, errorBody, field, numberField, startCluster } from "./testing/cluster.ts";

describe("metadata over time", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const history = (id: string, query = "") => cluster.call("GET", `/sandboxes/${id}/metadata/history${query}`);

  test("the history tells of every effective change, newest first, and whose it was", async () => {
    const id = await cluster.create({ metadata: { a: "1" } });
    const { body } = await cluster.patch(id, { a: null, b: "2" });
    await cluster.patch(id, { b: "2" });
    const answer = await history(id);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      changes: [
        {
          revision: numberField(body, "revision"),
          kind: "edited",
          delta: { a: null, b: "2" },
          apiKeyID: "key-of-team1",
        },
        { kind: "created", delta: { a: "1" }, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
      ],
    });
    const before = await history(id, `?limit=1&before=${numberField(body, "revision")}`);
    expect(field(before.body, "changes")).toMatchObject([{ kind: "created" }]);
    expect(field(before.body, "oldestRevision")).toBe(field(answer.body, "oldestRevision"));
  });

  test("the history of no sandbox, another team's or one that is gone is a 404, and bad pages are a 400", async () => {
    const id = await cluster.create();
    expect((await history("i00000000000000000000")).status).toBe(404);
    for (const query of ["?limit=0", "?limit=1001", "?limit=x", "?before=0", "?before=1.5"]) {
      expect((await history(id, query)).status, query).toBe(400);
    }
    expect((await cluster.call("DELETE", `/sandboxes/${id}`)).status).toBe(204);
    expect((await history(id)).status).toBe(404);
  });

  test("the same edit under the same Idempotency-Key has one effect, and the first answer again", async () => {
    const id = await cluster.create();
    const key = { "idempotency-key": "deploy 17" };
    const first = await cluster.patch(id, { a: "1" }, key);
    expect(first.status).toBe(200);
    const later = await cluster.patch(id, { a: "2" });
    const again = await cluster.patch(id, { a: "1" }, key);
    expect(again.status).toBe(200);
    expect(again.body).toEqual({
      metadata: { a: "1" },
      revision: field(first.body, "revision"),
      appliedRevision: field(later.body, "revision"),
    });
    expect(again.headers.get("etag")).toBe(`"${numberField(first.body, "revision")}"`);
    expect(await cluster.metadata(id)).toEqual({ a: "2" });
    expect(field((await history(id)).body, "changes")).toHaveLength(3);
  });

  test("another edit under the same key is a 422, and changes nothing; so is another If-Match", async () => {
    const id = await cluster.create();
    const key = { "Idempotency-Key": "k" };
    const { headers } = await cluster.patch(id, { a: "1" }, key);
    const reused = errorBody(422, "This Idempotency-Key was used for another edit of this sandbox");
    expect((await cluster.patch(id, { a: "2" }, key)).body).toEqual(reused);
    const etag = headers.get("etag") ?? "";
    expect((await cluster.patch(id, { a: "1" }, { ...key, "If-Match": etag })).body).toEqual(reused);
    expect(await cluster.metadata(id)).toEqual({ a: "1" });
  });

  test("a replay is decided anew: 202 as long as the node has not confirmed", async () => {
    const id = await cluster.create();
    const key = { "Idempotency-Key": "k" };
    await cluster.node.down();
    const first = await cluster.patch(id, { a: "1" }, key);
    expect(first.status).toBe(202);
    await cluster.node.up();
    await expect.poll(async () => (await cluster.patch(id, { a: "1" }, key)).status, { timeout: 10_000 }).toBe(200);
    const again = await cluster.patch(id, { a: "1" }, key);
    expect(field(again.body, "revision")).toBe(field(first.body, "revision"));
  });

  test("a replay whose own revision the node has confirmed is a 200, though a later edit is not confirmed yet", async () => {
    const id = await cluster.create();
    const key = { "Idempotency-Key": "k" };
    const first = await cluster.patch(id, { a: "1" }, key);
    await cluster.node.down();
    try {
      expect((await cluster.patch(id, { b: "1" })).status).toBe(202);
      const again = await cluster.patch(id, { a: "1" }, key);
      expect(again.status).toBe(200);
      expect(again.body).toEqual(first.body);
    } finally {
      await cluster.node.up();
    }
  });

  test("a key that cannot be is a 400", async () => {
    const id = await cluster.create();
    for (const key of ["x".repeat(256), "\u00e4"]) {
      expect((await cluster.patch(id, { a: "1" }, { "Idempotency-Key": key })).status).toBe(400);
    }
    expect(await cluster.metadata(id)).toEqual({});
  });
});
