import { CastellanError } from "@castellan/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, errorBody, field, gate, numberField, overriding, startCluster } from "./testing/cluster.ts";

describe("editing metadata", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  test("a string sets a key, null and the empty string remove one, and other keys stay", async () => {
    const id = await cluster.create({ metadata: { keep: "1", change: "a", drop: "x", empty: "y" } });
    const answer = await cluster.patch(id, { change: "b", drop: null, empty: "", add: "new" });
    expect(answer.status).toBe(200);
    expect(field(answer.body, "metadata")).toEqual({ keep: "1", change: "b", add: "new" });
    expect(cluster.node.sandboxes.get(id)?.metadata).toEqual(
      new Map([
        ["keep", "1"],
        ["change", "b"],
        ["add", "new"],
      ]),
    );
  });

  test("a 200 carries the revision as ETag, and the node has confirmed that revision", async () => {
    const id = await cluster.create();
    const { body, headers, status } = await cluster.patch(id, { a: "1" });
    expect(status).toBe(200);
    const revision = numberField(body, "revision");
    expect(headers.get("etag")).toBe(`"${revision}"`);
    expect(numberField(body, "appliedRevision")).toBe(revision);
    expect(cluster.node.sandboxes.get(id)?.applied.metadata).toBe(BigInt(revision));
  });

  test("what was answered with 200 is at once what get, list and the metadata itself show", async () => {
    const id = await cluster.create();
    await cluster.patch(id, { shown: "1" });
    const read = await cluster.call("GET", `/sandboxes/${id}/metadata`);
    expect(field(read.body, "metadata")).toEqual({ shown: "1" });
    expect(field(read.body, "appliedRevision")).toBe(field(read.body, "revision"));
    expect(read.headers.get("etag")).toBe(`"${numberField(read.body, "revision")}"`);
    expect(field((await cluster.call("GET", `/sandboxes/${id}`)).body, "metadata")).toEqual({ shown: "1" });
    const found = await cluster.call("GET", "/v2/sandboxes?metadata=shown%3D1");
    expect(found.body).toMatchObject([{ sandboxID: id, metadata: { shown: "1" } }]);
  });

  test("an edit without effect keeps the revision and is answered with 200", async () => {
    const id = await cluster.create({ metadata: { a: "1" } });
    const before = await cluster.call("GET", `/sandboxes/${id}/metadata`);
    const answer = await cluster.patch(id, { a: "1", none: null });
    expect(answer.status).toBe(200);
    expect(field(answer.body, "revision")).toBe(field(before.body, "revision"));
  });

  test("a merge patch by its own media type, and JSON with a charset, are taken", async () => {
    const id = await cluster.create();
    const merge = await cluster.patch(id, { a: "1" }, { "Content-Type": "application/merge-patch+json" });
    const charset = await cluster.patch(id, { b: "2" }, { "Content-Type": "application/json; charset=utf-8" });
    expect([merge.status, charset.status]).toEqual([200, 200]);
    expect(await cluster.metadata(id)).toEqual({ a: "1", b: "2" });
  });

  test("__proto__, constructor and numeric-like keys are ordinary keys, from create to the node and back", async () => {
    const odd = '{"__proto__":"p","constructor":"c","1":"one","toString":"t"}';
    const created = await cluster.call("POST", "/v2/sandboxes", { raw: `{"templateID":"base","metadata":${odd}}` });
    const id = String(field(created.body, "sandboxID"));
    const edit = '{"__proto__":"changed","prototype":"new","constructor":null}';
    const answer = await cluster.call("PATCH", `/sandboxes/${id}/metadata`, { raw: edit });
    expect(answer.status).toBe(200);
    const expected = [
      ["1", "one"],
      ["__proto__", "changed"],
      ["prototype", "new"],
      ["toString", "t"],
    ];
    expect(Object.entries(Object(field(answer.body, "metadata"))).sort()).toEqual(expected);
    expect([...(cluster.node.sandboxes.get(id)?.metadata ?? [])].sort()).toEqual(expected);
    const found = await cluster.call("GET", `/v2/sandboxes?metadata=${encodeURIComponent("__proto__=changed")}`);
    expect(found.body).toMatchObject([{ sandboxID: id }]);
  });

  test("If-Match with the current revision edits, with another changes nothing and answers 412", async () => {
    const id = await cluster.create({ metadata: { a: "1" } });
    const revision = numberField((await cluster.call("GET", `/sandboxes/${id}/metadata`)).body, "revision");
    const first = await cluster.patch(id, { a: "2" }, { "If-Match": `"${revision}"` });
    expect(first.status).toBe(200);
    const second = await cluster.patch(id, { a: "3" }, { "If-Match": `"${revision}"` });
    expect(second.status).toBe(412);
    expect(second.body).toEqual(errorBody(412, expect.any(String)));
    expect(await cluster.metadata(id)).toEqual({ a: "2" });
    expect((await cluster.patch(id, { a: "4" }, { "If-Match": "*" })).status).toBe(200);
  });

  test.each([['W/"1"'], ["1"], ['"a"'], ['"1", "2"'], ['"-1"'], ['"99999999999999999999"'], ['""']])(
    "If-Match %s is refused with 400 and changes nothing",
    async (header) => {
      const id = await cluster.create({ metadata: { a: "1" } });
      const answer = await cluster.patch(id, { a: "2" }, { "If-Match": header });
      expect(answer.status).toBe(400);
      expect(await cluster.metadata(id)).toEqual({ a: "1" });
    },
  );

  test.each([
    ["an array", "[]"],
    ["a string", '"a"'],
    ["null", "null"],
    ["a number as value", '{"a":5}'],
    ["a boolean as value", '{"a":true}'],
    ["an object as value", '{"a":{"b":"c"}}'],
    ["an array as value", '{"a":["b"]}'],
    ["an empty key", '{"":"a"}'],
    ["a lone surrogate in a value", '{"a":"\\ud800"}'],
    ["a lone surrogate in a key", '{"\\udc00":"a"}'],
    ["a key over 256 bytes", JSON.stringify({ ["é".repeat(129)]: "a" })],
    ["a value over 4 KiB", JSON.stringify({ a: "é".repeat(2049) })],
    ["more than 256 keys", JSON.stringify(Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`k${i}`, "v"])))],
    [
      "more than 64 KiB after the merge",
      JSON.stringify(Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, "v".repeat(4000)]))),
    ],
    ["malformed JSON", '{"a":'],
    ["nothing", ""],
  ])("%s is refused with 400 and changes nothing", async (_name, raw) => {
    const id = await cluster.create({ metadata: { a: "1" } });
    const before = await cluster.call("GET", `/sandboxes/${id}/metadata`);
    const answer = await cluster.call("PATCH", `/sandboxes/${id}/metadata`, { raw });
    expect(answer.body).toEqual(errorBody(400, expect.any(String)));
    expect(answer.status).toBe(400);
    expect((await cluster.call("GET", `/sandboxes/${id}/metadata`)).body).toEqual(before.body);
  });

  test("what is not UTF-8 is refused instead of stored as something else", async () => {
    const id = await cluster.create();
    const raw = Uint8Array.from([...Buffer.from('{"a":"'), 0xff, ...Buffer.from('"}')]);
    expect((await cluster.call("PATCH", `/sandboxes/${id}/metadata`, { raw })).status).toBe(400);
    expect(await cluster.metadata(id)).toEqual({});
  });

  test("a body over 256 KiB is refused with 413, another media type with 415", async () => {
    const id = await cluster.create();
    const large = await cluster.patch(id, { a: "x".repeat(256 * 1024) });
    expect(large.body).toEqual(errorBody(413, expect.any(String)));
    const form = await cluster.patch(id, { a: "1" }, { "Content-Type": "application/x-www-form-urlencoded" });
    expect(form.body).toEqual(errorBody(415, expect.any(String)));
    expect(await cluster.metadata(id)).toEqual({});
  });

  test("an unknown sandbox and another team's are the same 404", async () => {
    const id = await cluster.create();
    const other = await cluster.addTeam("team2");
    const message = (sandboxId: string) => `Sandbox "${sandboxId}" doesn't exist or you don't have access to it`;
    const unknown = "i00000000000000000000";
    expect((await cluster.patch(unknown, { a: "1" })).body).toEqual(errorBody(404, message(unknown)));
    const foreign = await cluster.call("PATCH", `/sandboxes/${id}/metadata`, { body: { a: "1" }, key: other });
    expect(foreign.body).toEqual(errorBody(404, message(id)));
    expect((await cluster.call("GET", `/sandboxes/${id}/metadata`, { key: other })).status).toBe(404);
    expect(await cluster.metadata(id)).toEqual({});
  });

  test("a sandbox that is being killed takes no edits, is not found, and its kill answers once it is gone", async () => {
    const id = await cluster.create();
    const asked = gate();
    const answer = gate();
    cluster.node.hooks.delete = async () => {
      asked.open();
      await answer.opened;
    };
    try {
      const kill = cluster.call("DELETE", `/sandboxes/${id}`);
      await asked.opened;
      expect((await cluster.patch(id, { a: "1" })).body).toEqual(errorBody(409, `Sandbox "${id}" is being killed`));
      expect((await cluster.call("GET", `/sandboxes/${id}/metadata`)).status).toBe(404);
      expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(404);
      answer.open();
      expect((await kill).status).toBe(204);
      expect((await cluster.patch(id, { a: "1" })).status).toBe(404);
    } finally {
      answer.open();
      delete cluster.node.hooks.delete;
    }
  });
});

test("a fault of the store says only that the edit failed, and that it is not there says when to try again", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const { store } = cluster;
  const torn = async () => {
    throw new CastellanError("internal", "page 7 of the database is torn");
  };
  const faulty = overriding(store, { editMetadata: torn });
  {
    await using broken = await startCluster({ store: faulty, nodes: 0, closeStore: false });
    const headers = { "X-API-Key": cluster.key };
    const answer = await broken.call("PATCH", `/sandboxes/${id}/metadata`, { body: { a: "1" }, headers });
    expect(answer.body).toEqual(errorBody(500, "Error patching sandbox metadata"));
  }
  await store.close();
  const away = await cluster.patch(id, { a: "1" });
  expect(away.body).toEqual(errorBody(503, expect.any(String)));
  expect(away.headers.get("retry-after")).toMatch(/^\d+$/);
});
