import { createLogger } from "@castellan/telemetry";
import { expect, test } from "vitest";
import { clusterToken, gate, overriding, startCluster } from "../testing/cluster.ts";
import { PeerNode } from "../testing/peer-node.ts";
import { createNodeDirectory } from "./directory.ts";
import { connectToNode } from "./node-client.ts";

const logger = createLogger("test", "silent");
const updates = { send: async () => false, close: () => {} };

test("a node that registers while the store is asked for all nodes is not taken for forgotten", async () => {
  await using cluster = await startCluster({ nodes: 0, loops: false });
  const [asked, answer] = [gate(), gate()];
  const store = overriding(cluster.store, {
    async listNodes() {
      const nodes = await cluster.store.listNodes();
      asked.open();
      await answer.opened;
      return nodes;
    },
  });
  const directory = createNodeDirectory({
    store,
    logger,
    leaseMs: 60_000,
    connect: ({ address }) => ({ client: connectToNode(address, clusterToken), updates }),
  });
  const refreshed = directory.refresh();
  await asked.opened;
  const node = new PeerNode("late", clusterToken);
  await node.up();
  try {
    await node.register(cluster.registry);
    const [record] = await cluster.store.listNodes();
    if (record === undefined) throw new Error("it has registered");
    directory.note(record);
    answer.open();
    await refreshed;
    expect(directory.peek("late")).toBeDefined();
  } finally {
    directory.close();
    await node.down();
  }
});

test("a closed directory says that it cannot say, not that a node was forgotten", async () => {
  await using cluster = await startCluster({ loops: false });
  const directory = createNodeDirectory({
    store: cluster.store,
    logger,
    leaseMs: 60_000,
    connect: ({ address }) => ({ client: connectToNode(address, clusterToken), updates }),
  });
  expect(await directory.find("node1")).toBeDefined();
  expect(await directory.find("nobody")).toBeUndefined();
  directory.close();
  await expect(directory.find("node1")).rejects.toMatchObject({ code: "unavailable" });
});
