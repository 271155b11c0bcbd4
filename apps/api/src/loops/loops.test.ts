import { create } from "@bufbuild/protobuf";
import { DeletionCause, SandboxManifestSchema } from "@castellan/contracts/sandbox";
import { expect, test } from "vitest";
import { errorBody, eventually, startCluster } from "../testing/cluster.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("a sandbox that ended by itself is removed on its node's word, and the node may forget the report", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  cluster.node.end(id, DeletionCause.EXITED);
  await eventually(async () => {
    expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(404);
    expect(cluster.node.acknowledgedTo).toBe(1n);
  });
});

test("a node's report of another execution's end removes nothing", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const kept = cluster.node.sandboxes.get(id);
  if (!kept) throw new Error("it runs");
  cluster.node.end(id);
  const [report] = cluster.node.deletions;
  if (report) report.executionId = "e000000000000000000000000";
  cluster.node.sandboxes.set(id, kept);
  await eventually(() => expect(cluster.node.acknowledgedTo).toBe(1n));
  expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(200);
});

test("a paused sandbox stays when its node reports the end of the execution that was paused", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const record = await cluster.store.locate(id);
  if (record === undefined) throw new Error("it runs");
  const key = { teamId: record.teamId, sandboxId: id, executionId: record.executionId };
  await cluster.store.transition({ ...key, from: ["running"], to: "pausing" });
  cluster.node.end(id);
  await cluster.store.transition({ ...key, from: ["pausing"], to: "paused" });
  await eventually(() => expect(cluster.node.acknowledgedTo).toBe(1n));
  expect(await cluster.store.locate(id)).toMatchObject({ state: "paused" });
});

test("a sandbox that its node no longer lists is gone; one that is only now being started is not", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  let starting = "";
  let started = () => {};
  cluster.node.hooks.create = (manifest) => {
    starting = manifest.sandboxId;
    return new Promise((resolve) => {
      started = resolve;
    });
  };
  const second = cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base" } });
  await eventually(() => expect(starting).not.toBe(""));
  cluster.node.sandboxes.delete(id);
  await eventually(async () => expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(404));
  await pause(200);
  started();
  expect((await second).status).toBe(201);
  expect((await cluster.call("GET", `/sandboxes/${starting}`)).status).toBe(200);
});

test("a node that does not answer loses nothing: its sandboxes are lost, not gone, and come back with it", async () => {
  await using cluster = await startCluster({ timing: { leaseMs: 1_500, callMs: 300, confirmMs: 300 } });
  const keepAlive = setInterval(() => void cluster.node.register(cluster.registry).catch(() => {}), 100);
  try {
    const id = await cluster.create();
    clearInterval(keepAlive);
    await cluster.node.down();
    await eventually(async () => expect(await cluster.store.locate(id)).toMatchObject({ state: "lost" }));
    await pause(300);
    expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(200);
    expect((await cluster.call("GET", "/nodes")).body).toMatchObject([{ status: "lost" }]);
    expect((await cluster.patch(id, { a: "1" })).status).toBe(202);
    expect((await cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base" } })).status).toBe(503);

    await cluster.node.up();
    cluster.node.reboot();
    await eventually(async () => {
      await cluster.node.register(cluster.registry);
      const record = await cluster.store.locate(id);
      expect(record).toMatchObject({ state: "running", bootId: cluster.node.bootId });
      expect(cluster.node.sandboxes.get(id)?.metadata).toEqual(new Map([["a", "1"]]));
    });
  } finally {
    clearInterval(keepAlive);
  }
});

test("a lost sandbox can be killed; it is ended when its node is back", async () => {
  await using cluster = await startCluster({ timing: { leaseMs: 1_500, callMs: 300 } });
  await cluster.node.register(cluster.registry);
  const id = await cluster.create();
  await cluster.node.down();
  await eventually(async () => expect(await cluster.store.locate(id)).toMatchObject({ state: "lost" }));
  expect((await cluster.call("DELETE", `/sandboxes/${id}`)).body).toEqual(errorBody(503, expect.any(String)));
  await cluster.node.up();
  await eventually(async () => {
    await cluster.node.register(cluster.registry);
    expect(cluster.node.sandboxes.has(id)).toBe(false);
    expect(await cluster.store.locate(id)).toBeUndefined();
  });
});

test("what a forgotten node ran can be killed, as nothing is left to ask", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  await cluster.node.down();
  await cluster.store.forgetNode("node1");
  await eventually(async () => expect((await cluster.call("GET", "/nodes")).body).toEqual([]));
  await eventually(async () => expect((await cluster.call("DELETE", `/sandboxes/${id}`)).status).toBe(204));
});

test("the store adopts what it has forgotten from the node's manifest, and edits go on", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create({ metadata: { a: "1" }, envVars: { SECRET: "x" } });
  const manifest = cluster.node.sandboxes.get(id)?.manifest;
  if (manifest === undefined) throw new Error("it runs");
  const forgotten = create(SandboxManifestSchema, {
    ...manifest,
    sandboxId: "iforgotten",
    executionId: "e111111111111111111111111",
  });
  cluster.node.plant(forgotten);
  await eventually(async () => expect((await cluster.call("GET", "/sandboxes/iforgotten")).status).toBe(200));
  const adopted = await cluster.store.locate("iforgotten");
  expect(adopted).toMatchObject({
    state: "running",
    nodeId: "node1",
    envVars: { SECRET: "x" },
    envdAccessToken: manifest.envdAccessToken,
    metadata: { value: new Map([["a", "1"]]) },
  });
  expect((await cluster.patch("iforgotten", { b: "2" })).body).toMatchObject({ metadata: { a: "1", b: "2" } });
});

test("what was removed and still runs is ended, not adopted", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const sandbox = cluster.node.sandboxes.get(id);
  if (sandbox === undefined) throw new Error("it runs");
  await cluster.call("DELETE", `/sandboxes/${id}`);
  cluster.node.sandboxes.set(id, sandbox);
  await eventually(() => expect(cluster.node.sandboxes.has(id)).toBe(false));
  expect(await cluster.store.locate(id)).toBeUndefined();
});

test("an older execution is ended only once a newer one is confirmed running", async () => {
  await using cluster = await startCluster({ nodes: 2 });
  const [first, second] = cluster.nodes;
  if (!first || !second) throw new Error("two nodes");
  const id = await cluster.create();
  const home = first.sandboxes.has(id) ? first : second;
  const other = home === first ? second : first;
  const manifest = home.sandboxes.get(id)?.manifest;
  if (manifest === undefined) throw new Error("it runs");
  // The same generation as the record's: nothing says that it is older.
  const rival = create(SandboxManifestSchema, { ...manifest, executionId: "e222222222222222222222222" });
  other.plant(rival);
  await pause(400);
  expect(other.sandboxes.has(id)).toBe(true);
  other.plant(create(SandboxManifestSchema, { ...rival, generation: 0n }));
  await eventually(() => expect(other.sandboxes.has(id)).toBe(false));
  expect(home.sandboxes.has(id)).toBe(true);
});

test("a node that came back with an older state is brought up to date", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  await cluster.patch(id, { a: "1" });
  const sandbox = cluster.node.sandboxes.get(id);
  if (sandbox === undefined) throw new Error("it runs");
  sandbox.metadata = new Map();
  sandbox.applied.metadata = 1n;
  cluster.node.reboot();
  await eventually(() => expect(sandbox.metadata).toEqual(new Map([["a", "1"]])));
});

test("an orchestrator restarted between commit and push gets the edit with its next boot", async () => {
  await using cluster = await startCluster({ timing: { confirmMs: 200 } });
  const id = await cluster.create();
  await cluster.node.down();
  expect((await cluster.patch(id, { a: "1" })).status).toBe(202);
  cluster.node.reboot();
  await cluster.node.up();
  await cluster.node.register(cluster.registry);
  await eventually(async () => {
    const record = await cluster.store.locate(id);
    expect(record?.bootId).toBe(cluster.node.bootId);
    expect(record?.metadata.applied).toBe(record?.metadata.revision);
    expect(cluster.node.sandboxes.get(id)?.metadata).toEqual(new Map([["a", "1"]]));
  });
});

test("a start that its control plane did not live to see is settled by asking the node", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const record = await cluster.store.locate(id);
  if (record === undefined) throw new Error("it is there");
  const { state: _state, generation: _g, startedAt: _s, endTime: _e, metadata, egress, ...identity } = record;
  // As a control plane leaves it that dies after the node has started the sandbox and before it says so.
  const orphan = { ...identity, sandboxId: "iorphan", executionId: "e333333333333333333333333" };
  await cluster.store.create(
    { ...orphan, metadata: metadata.value, egress: egress.value, lifetimeMs: 60_000, deadlineMs: 100 },
    100,
  );
  cluster.node.plant(create(SandboxManifestSchema, { ...orphan, generation: 1n }));
  await eventually(async () => {
    expect(cluster.node.sandboxes.has("iorphan")).toBe(false);
    expect(await cluster.store.locate("iorphan")).toBeUndefined();
  });
});

test("an execution that was removed is ended although its sandbox lives on in another", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  const record = await cluster.store.locate(id);
  const manifest = cluster.node.sandboxes.get(id)?.manifest;
  if (record === undefined || manifest === undefined) throw new Error("it runs");
  const { state: _s, generation: _g, startedAt: _at, endTime: _e, metadata, egress, ...identity } = record;
  const fresh = { ...identity, metadata: metadata.value, egress: egress.value, lifetimeMs: 60_000, deadlineMs: 60_000 };
  const [old, next] = ["e444444444444444444444444", "e555555555555555555555555"];
  const { teamId, sandboxId } = { ...identity, sandboxId: "itwice" };
  await cluster.store.create({ ...fresh, sandboxId, executionId: old }, 100);
  await cluster.store.remove({ teamId, sandboxId, executionId: old });
  await cluster.store.create({ ...fresh, sandboxId, executionId: next }, 100);
  cluster.node.plant(create(SandboxManifestSchema, { ...manifest, sandboxId, executionId: old }));
  await eventually(() => expect(cluster.node.sandboxes.has(sandboxId)).toBe(false));
  expect(await cluster.store.locate(sandboxId)).toMatchObject({ executionId: next });
});

test("a node that holds less than it has confirmed is brought up to date, also within one boot", async () => {
  await using cluster = await startCluster();
  const id = await cluster.create();
  await cluster.patch(id, { a: "1" });
  const sandbox = cluster.node.sandboxes.get(id);
  if (sandbox === undefined) throw new Error("it runs");
  sandbox.metadata = new Map();
  sandbox.applied.metadata = 1n;
  await eventually(() => expect(sandbox.metadata).toEqual(new Map([["a", "1"]])));
});

test("what one boot of a node has reported says nothing about the next one's reports", async () => {
  await using cluster = await startCluster();
  const ids = [await cluster.create(), await cluster.create(), await cluster.create()];
  cluster.node.end(ids[0] ?? "");
  cluster.node.end(ids[1] ?? "");
  await eventually(() => expect(cluster.node.acknowledgedTo).toBe(2n));
  // Another life of the node: its state is gone, and it counts from 1 again.
  cluster.node.reboot();
  cluster.node.deletions.length = 0;
  await cluster.node.register(cluster.registry);
  await pause(200);
  cluster.node.acknowledgedTo = 0n;
  cluster.node.end(ids[2] ?? "");
  await eventually(() => expect(cluster.node.acknowledgedTo).toBeGreaterThan(0n));
  await pause(200);
  expect(cluster.node.acknowledgedTo).toBe(1n);
});
