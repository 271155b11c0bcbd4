import { expect, test } from "vitest";
import { type Cluster, eventually, field, gate, numberField, overriding, startCluster } from "./testing/cluster.ts";

/** The node's map and the store's, once the node has confirmed the store's revision. */
async function agreed(cluster: Cluster, id: string): Promise<unknown> {
  const { body } = await cluster.call("GET", `/sandboxes/${id}/metadata`);
  const sandbox = cluster.node.sandboxes.get(id);
  expect(field(body, "appliedRevision")).toBe(field(body, "revision"));
  expect(sandbox?.applied.metadata).toBe(BigInt(numberField(body, "revision")));
  expect(Object.fromEntries(sandbox?.metadata ?? [])).toEqual(field(body, "metadata"));
  return field(body, "metadata");
}

test("two concurrent edits whose pushes arrive swapped leave store and node with both", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const [older, newer] = [gate(), gate()];
  let updates = 0;
  cluster.node.hooks.update = async () => {
    updates += 1;
    // The first push is held back until the second has been applied.
    if (updates === 1) {
      newer.open();
      await older.opened;
    }
  };
  const first = cluster.patch(id, { a: "1" });
  await newer.opened;
  const second = await cluster.patch(id, { b: "2" });
  expect(second.status).toBe(200);
  older.open();
  expect((await first).status).toBe(200);
  await eventually(async () => expect(await agreed(cluster, id)).toEqual({ a: "1", b: "2" }));
  const [arrivedFirst, arrivedSecond] = cluster.node.arrived;
  expect(Number(arrivedFirst?.split("@")[1])).toBeGreaterThan(Number(arrivedSecond?.split("@")[1]));
});

test("an edit is answered as soon as the node has confirmed a newer one, and says what the node holds", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const arrived = gate();
  let updates = 0;
  cluster.node.hooks.update = async () => {
    updates += 1;
    if (updates === 1) {
      arrived.open();
      await new Promise(() => {});
    }
  };
  const first = cluster.patch(id, { a: "1" });
  await arrived.opened;
  const second = await cluster.patch(id, { b: "2" });
  const answer = await first;
  expect([answer.status, second.status]).toEqual([200, 200]);
  expect(numberField(second.body, "revision")).toBeGreaterThan(numberField(answer.body, "revision"));
});

test("an edit while the node is unreachable is committed and answered with 202, and the node catches up", async () => {
  await using cluster = await startCluster({ timing: { confirmMs: 300 } });
  const id = await cluster.create();
  await cluster.node.down();
  const answer = await cluster.patch(id, { a: "1" });
  expect(answer.status).toBe(202);
  expect(numberField(answer.body, "appliedRevision")).toBeLessThan(numberField(answer.body, "revision"));
  expect(answer.headers.get("etag")).toBe(`"${numberField(answer.body, "revision")}"`);
  expect(await cluster.metadata(id)).toEqual({ a: "1" });

  await cluster.node.up();
  await eventually(async () => expect(await agreed(cluster, id)).toEqual({ a: "1" }));
});

test("a node that comes back within the two seconds still makes it a 200", async () => {
  await using cluster = await startCluster({ timing: { confirmMs: 2_000 } });
  const id = await cluster.create();
  await cluster.patch(id, { warm: "up" });
  await cluster.node.down();
  const edit = cluster.patch(id, { a: "1" });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await cluster.node.up();
  expect((await edit).status).toBe(200);
});

test("a node that takes the update and says nothing is a 202, and a new stream brings it later", async () => {
  await using cluster = await startCluster({ timing: { confirmMs: 200, streamAnswerMs: 300 } });
  const id = await cluster.create();
  let silent = true;
  cluster.node.hooks.update = () => (silent ? new Promise(() => {}) : undefined);
  expect((await cluster.patch(id, { a: "1" })).status).toBe(202);
  silent = false;
  await eventually(async () => expect(await agreed(cluster, id)).toEqual({ a: "1" }));
});

test("concurrent edits of the same and of other keys lose nothing", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const keys = Array.from({ length: 60 }, (_, n) => `k${n}`);
  const answers = await Promise.all(keys.map((key) => cluster.patch(id, { [key]: key, shared: key })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const revisions = answers.map(({ body }) => numberField(body, "revision"));
  expect(new Set(revisions).size).toBe(keys.length);
  const final = await agreed(cluster, id);
  expect(Object.keys(Object(final)).sort()).toEqual([...keys, "shared"].sort());
});

test("what a node confirmed is in the store after the answer, so nothing stays due", async () => {
  await using cluster = await startCluster({ loops: false });
  const id = await cluster.create();
  await cluster.patch(id, { a: "1" });
  await eventually(async () => {
    const record = await cluster.store.get("team1", id);
    expect(record?.metadata.applied).toBe(record?.metadata.revision);
    expect(record?.bootId).toBe(cluster.node.bootId);
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await cluster.store.listPushDue(10)).toEqual([]);
});

test("a node that refuses an update does not make the client wait for the deadline", async () => {
  await using cluster = await startCluster({ loops: false, timing: { confirmMs: 20_000 } });
  const id = await cluster.create();
  cluster.node.sandboxes.delete(id);
  const began = performance.now();
  const answer = await cluster.patch(id, { a: "1" });
  expect(answer.status).toBe(202);
  expect(performance.now() - began).toBeLessThan(10_000);
});

test("what was answered with 200 reads as confirmed at once, before the store has been told", async () => {
  await using cluster = await startCluster({ nodes: 0, loops: false });
  const told = gate();
  const late = overriding(cluster.store, { confirm: () => told.opened });
  await using slow = await startCluster({ store: late, closeStore: false, loops: false });
  const id = await slow.create();
  const answer = await slow.patch(id, { a: "1" });
  const read = await slow.call("GET", `/sandboxes/${id}/metadata`);
  const again = await slow.patch(id, { a: "1" });
  told.open();
  expect([answer.status, again.status]).toEqual([200, 200]);
  expect(field(read.body, "appliedRevision")).toBe(field(answer.body, "revision"));
});

test("with the push off an edit is answered after its commit, and no node hears of it", async () => {
  await using cluster = await startCluster({ push: "off" });
  const id = await cluster.create();
  expect((await cluster.patch(id, { a: "1" })).status).toBe(200);
  expect(cluster.node.messages).toBe(0);
});

test("in a new epoch an edit waits for its node's report, and has no 200 before the node has confirmed it in that epoch", async () => {
  await using cluster = await startCluster({ timing: { confirmMs: 300 } });
  const id = await cluster.create({ metadata: { a: "1" } });
  const reporting = gate();
  cluster.node.hooks.list = () => reporting.opened;
  cluster.node.hooks.update = () => new Promise(() => {});
  await cluster.store.raiseEpoch((await cluster.store.epoch()) + 1);
  // Also one that would change nothing: the node may hold something else by now.
  const early = await cluster.patch(id, { a: "1" });
  expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
  expect((await cluster.call("GET", `/sandboxes/${id}/metadata`)).status).toBe(503);
  expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(200);
  expect(cluster.node.arrived).toEqual([]);

  reporting.open();
  await eventually(async () => expect((await cluster.patch(id, { a: "2" })).status).toBe(202));
  delete cluster.node.hooks.update;
  await eventually(async () => expect((await cluster.patch(id, { a: "2" })).status).toBe(200));
});
