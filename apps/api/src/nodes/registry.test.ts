import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { Code, type ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Cluster, clusterToken, startCluster } from "../testing/cluster.ts";
import { PeerNode } from "../testing/peer-node.ts";

describe("registering a node", () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await startCluster({ loops: false });
  });
  afterEach(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  test("a node gets a lease and the store's epoch", async () => {
    const answer = await cluster.node.register(cluster.registry);
    expect(answer.leaseMs).toBe(60_000);
    expect(answer.epoch).toBe(BigInt(await cluster.store.epoch()));
    expect(await cluster.store.listNodes()).toMatchObject([{ nodeId: "node1", gatewayAddress: "127.0.0.1:9" }]);
  });

  test.each([["a wrong token"], [""]])("a caller with the token '%s' is refused", async (token) => {
    const stranger = new PeerNode("stranger", token);
    const refused = { code: Code.Unauthenticated } satisfies Partial<ConnectError>;
    await expect(stranger.register(cluster.registry)).rejects.toMatchObject(refused);
    expect(await cluster.store.listNodes()).toHaveLength(1);
  });

  test("a stranger's message is not read, whatever it is", async () => {
    const answer = await post(cluster.registry, "Bearer wrong", Buffer.alloc(20, 0xff));
    expect(answer).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
  });

  test("a caller that would wait for longer than timers can count waits, instead of giving up at once", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    try {
      const headers = { "connect-timeout-ms": "9999999999" };
      const answer = await post(cluster.registry, `Bearer ${clusterToken}`, Buffer.alloc(0), headers);
      expect(answer.body).toEqual({ code: "invalid_argument", message: "a registration names its node" });
      expect(warnings).toEqual([]);
    } finally {
      process.off("warning", note);
    }
  });

  test.each([
    ["epoch", { epoch: 2n ** 63n }],
    ["highest revision", { epoch: 0n, highestRevision: 2n ** 63n }],
  ])("a node's %s beyond what can be counted does not become the store's", async (_name, said) => {
    const epoch = await cluster.store.epoch();
    const refused = { code: Code.InvalidArgument } satisfies Partial<ConnectError>;
    await expect(cluster.node.register(cluster.registry, said)).rejects.toMatchObject(refused);
    expect(await cluster.store.epoch()).toBe(epoch);
  });

  test("what a node says of itself is checked", async () => {
    const odd = new PeerNode("no spaces please", "a-token-of-the-test-cluster");
    await odd.up();
    try {
      await expect(odd.register(cluster.registry)).rejects.toMatchObject({ code: Code.InvalidArgument });
    } finally {
      await odd.down();
    }
  });

  test("the epoch rises above an epoch that a node knows and the store does not", async () => {
    const epoch = await cluster.store.epoch();
    const answer = await cluster.node.register(cluster.registry, { epoch: BigInt(epoch + 1_000_000) });
    expect(Number(answer.epoch)).toBeGreaterThan(epoch + 1_000_000);
    expect(await cluster.store.epoch()).toBe(Number(answer.epoch));
  });

  test("the epoch rises above revisions from before it, so that what is written next wins over them", async () => {
    const epoch = await cluster.store.epoch();
    const ahead = BigInt(epoch + 10_000_000_000);
    const answer = await cluster.node.register(cluster.registry, { epoch: 0n, highestRevision: ahead });
    expect(answer.epoch).toBeGreaterThan(ahead);
  });

  test("revisions that were made in this epoch do not raise it, however often the node registers", async () => {
    const epoch = await cluster.store.epoch();
    const id = await cluster.create();
    await cluster.patch(id, { a: "1" });
    const highestRevision = cluster.node.sandboxes.get(id)?.applied.metadata ?? 0n;
    expect(highestRevision).toBeGreaterThan(BigInt(epoch));
    for (let count = 0; count < 3; count += 1) {
      await cluster.node.register(cluster.registry, { epoch: BigInt(epoch), highestRevision });
    }
    expect(await cluster.store.epoch()).toBe(epoch);
  });

  test("a node that moved is talked to at its new address", async () => {
    const id = await cluster.create();
    const moved = new PeerNode("node1", "a-token-of-the-test-cluster");
    await moved.up();
    try {
      const { manifest } = cluster.node.sandboxes.get(id) ?? {};
      if (manifest) moved.plant(manifest);
      await moved.register(cluster.registry);
      await cluster.node.down();
      expect((await cluster.patch(id, { a: "1" })).status).toBe(200);
      expect(moved.sandboxes.get(id)?.metadata).toEqual(new Map([["a", "1"]]));
    } finally {
      await moved.down();
    }
  });
});

/** One call as bytes, past every client that would make it a proper one. */
async function post(
  registry: string,
  authorization: string,
  body: Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: unknown }> {
  const session = connect(registry);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": "/orchestrator.v1.RegistryService/Register",
      "content-type": "application/proto",
      authorization,
      ...headers,
    });
    let status = 0;
    stream.on("response", (head) => {
      status = Number(head[":status"]);
    });
    stream.end(body);
    const answer = await text(stream);
    return { status, body: JSON.parse(answer) };
  } finally {
    session.destroy();
  }
}
