import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { RegistryService } from "@castellan/contracts/node";
import { type SandboxManifest, SandboxManifestSchema, SandboxMetadataUpdateSchema } from "@castellan/contracts/sandbox";
import { openStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { type Cluster, clusterToken, eventually, gate, startCluster } from "../testing/cluster.ts";
import { PeerNode } from "../testing/peer-node.ts";

const logger = createLogger("test", "silent");
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A sandbox and, on the node that does not run it, a manifest for another execution of it. */
async function twice(
  cluster: Cluster,
  changes: { generation: bigint; revision: bigint; tags: Record<string, string> },
) {
  const id = await cluster.create({ metadata: { a: "1" } });
  const home = cluster.nodes.find((node) => node.sandboxes.has(id));
  const manifest = home?.sandboxes.get(id)?.manifest;
  const other = cluster.nodes.find((node) => node !== home);
  if (home === undefined || manifest === undefined || other === undefined) throw new Error("it runs on one of two");
  const rival: SandboxManifest = create(SandboxManifestSchema, {
    ...manifest,
    executionId: "e222222222222222222222222",
    generation: changes.generation,
    metadata: create(SandboxMetadataUpdateSchema, {
      entries: changes.tags,
      revision: (manifest.metadata?.revision ?? 0n) + changes.revision,
    }),
  });
  return { id, home, other, rival };
}

/** As `castellan node forget` does. */
async function forget({ registry }: Cluster, nodeId: string): Promise<boolean> {
  const sessionManager = new Http2SessionManager(registry);
  const transport = createConnectTransport({ httpVersion: "2", baseUrl: registry, sessionManager });
  const headers = { authorization: `Bearer ${clusterToken}` };
  try {
    return (await createClient(RegistryService, transport).forget({ nodeId }, { headers })).known;
  } finally {
    sessionManager.abort();
  }
}

async function newEpoch({ store }: Cluster): Promise<void> {
  await store.raiseEpoch((await store.now()) + 1);
}

test("edits wait for a node that has a lease, and for its lease where it is cut off; a condition waits for its word", async () => {
  await using cluster = await startCluster({ nodes: 2, timing: { leaseMs: 1_500, callMs: 300, confirmMs: 300 } });
  const { id, home, other, rival } = await twice(cluster, {
    generation: 2n,
    revision: 5n,
    tags: { a: "9", found: "9" },
  });
  const keepAlive = setInterval(() => void home.register(cluster.registry).catch(() => {}), 100);
  try {
    await other.register(cluster.registry);
    // The store has forgotten that the sandbox was resumed there, and edited.
    await other.down();
    other.plant(rival);
    const revision = (await cluster.store.locate(id))?.metadata.revision ?? 0;
    await newEpoch(cluster);
    expect((await cluster.patch(id, { own: "1" })).status).toBe(503);
    await pause(700);
    expect((await cluster.patch(id, { own: "1" })).status).toBe(503);
    await eventually(async () => expect((await cluster.patch(id, { own: "1" })).status).toBe(200));
    const conditional = await cluster.patch(id, { own: "2" }, { "If-Match": `"${revision}"` });
    expect([conditional.status, conditional.headers.get("retry-after")]).toEqual([503, "1"]);

    await other.up();
    await other.register(cluster.registry);
    const together = { a: "9", found: "9", own: "1" };
    await eventually(async () => {
      await other.register(cluster.registry);
      expect(await cluster.metadata(id)).toEqual(together);
      expect(Object.fromEntries(other.sandboxes.get(id)?.metadata ?? [])).toEqual(together);
      // Only the older one is ended.
      expect(home.sandboxes.has(id)).toBe(false);
    });
    expect(await cluster.store.locate(id)).toMatchObject({ generation: 2, nodeId: other.nodeId, state: "running" });
    expect((await cluster.patch(id, { own: "3" }, { "If-Match": "*" })).status).toBe(200);
  } finally {
    clearInterval(keepAlive);
  }
});

test("an older execution lives until every node has been heard of the newer one, and is ended then", async () => {
  await using cluster = await startCluster({ nodes: 3 });
  const { id, home, other, rival } = await twice(cluster, { generation: 0n, revision: 0n, tags: {} });
  const third = cluster.nodes.find((node) => node !== home && node !== other);
  if (third === undefined) throw new Error("three nodes");
  const reporting = gate();
  third.hooks.list = () => reporting.opened;
  await newEpoch(cluster);
  // What a round of the epoch before would find may be ended: it was verified in that one.
  await pause(300);
  other.plant(rival);
  await pause(400);
  expect(other.sandboxes.has(id)).toBe(true);
  reporting.open();
  await eventually(() => expect(other.sandboxes.has(id)).toBe(false));
  expect(home.sandboxes.has(id)).toBe(true);
});

test("what its node says is gone stays until every node has been heard, as it may have gone on elsewhere", async () => {
  await using cluster = await startCluster({ nodes: 2 });
  const { id, home, other, rival } = await twice(cluster, { generation: 2n, revision: 5n, tags: { a: "2" } });
  const reporting = gate();
  other.hooks.list = () => reporting.opened;
  await newEpoch(cluster);
  home.end(id);
  other.plant(rival);
  await pause(400);
  expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(200);
  expect(home.acknowledgedTo).toBe(0n);
  reporting.open();
  await eventually(async () => expect(await cluster.metadata(id)).toEqual({ a: "2" }));
  await eventually(() => expect(home.acknowledgedTo).toBe(1n));
  expect((await cluster.call("GET", `/sandboxes/${id}`)).status).toBe(200);
});

test("a sandbox whose node is forgotten by the operator takes edits again", async () => {
  await using cluster = await startCluster({ nodes: 1 });
  const id = await cluster.create();
  await cluster.node.down();
  await newEpoch(cluster);
  await pause(300);
  expect((await cluster.patch(id, { a: "1" })).status).toBe(503);
  expect(await forget(cluster, "node1")).toBe(true);
  expect(await forget(cluster, "nobody")).toBe(false);
  await cluster.addNode();
  await eventually(async () => expect((await cluster.patch(id, { a: "1" })).status).toBe(202));
});

test("an edit that a killed control plane had committed and not pushed reaches the node through another one", async () => {
  const directory = await mkdtemp(join(tmpdir(), "castellan-killed-"));
  const node = new PeerNode("node1", clusterToken);
  await node.up();
  try {
    const path = join(directory, "store.db");
    const first = await startCluster({ store: await openStore(path, { logger }), nodes: 0, push: "off", loops: false });
    await node.register(first.registry);
    const id = await first.create();
    await first.patch(id, { a: "1" });
    expect(node.sandboxes.get(id)?.metadata).toEqual(new Map());
    await first[Symbol.asyncDispose]();

    await using second = await startCluster({ store: await openStore(path, { logger }), nodes: 0 });
    await node.register(second.registry);
    await eventually(() => expect(node.sandboxes.get(id)?.metadata).toEqual(new Map([["a", "1"]])));
    expect((await second.patch(id, { b: "2" })).status).toBe(200);
  } finally {
    await node.down();
    await rm(directory, { recursive: true, force: true });
  }
});

test("a SQLite file that was put back from a backup gets what its nodes know", async () => {
  const directory = await mkdtemp(join(tmpdir(), "castellan-restored-"));
  const node = new PeerNode("node1", clusterToken);
  await node.up();
  try {
    const path = join(directory, "store.db");
    const first = await startCluster({ store: await openStore(path, { logger }), nodes: 0 });
    await node.register(first.registry);
    const old = await first.create({ metadata: { a: "1" } });
    await first[Symbol.asyncDispose]();
    await copyFile(path, join(directory, "backup"));

    const second = await startCluster({ store: await openStore(path, { logger }), nodes: 0 });
    await node.register(second.registry);
    await eventually(async () => expect((await second.patch(old, { b: "2" })).status).toBe(200));
    const young = await second.create({ metadata: { young: "1" } });
    const epoch = await second.store.epoch();
    await second[Symbol.asyncDispose]();
    await copyFile(join(directory, "backup"), path);

    await using third = await startCluster({ store: await openStore(path, { logger }), nodes: 0 });
    expect(await third.store.epoch()).toBeGreaterThan(epoch);
    await node.register(third.registry);
    await eventually(async () => expect((await third.patch(old, { c: "3" })).status).toBe(200));
    expect(await third.metadata(old)).toEqual({ a: "1", b: "2", c: "3" });
    await eventually(async () => expect(await third.metadata(young)).toEqual({ young: "1" }));
  } finally {
    await node.down();
    await rm(directory, { recursive: true, force: true });
  }
});
