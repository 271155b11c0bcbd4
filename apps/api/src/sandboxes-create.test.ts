import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, errorBody, eventually, field, gate, startCluster, stringField } from "./testing/cluster.ts";

describe("creating a sandbox", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterEach(() => {
    delete cluster.node.hooks.create;
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const post = (body: unknown, path = "/v2/sandboxes") => cluster.call("POST", path, { body });
  const lifetime = async (id: string) => {
    const { body } = await cluster.call("GET", `/sandboxes/${id}`);
    return (Date.parse(stringField(body, "endAt")) - Date.parse(stringField(body, "startedAt"))) / 1000;
  };

  test("the answer is what a client needs, and the node runs it with everything that was asked for", async () => {
    const answer = await post({
      templateID: "base",
      timeout: 60,
      metadata: { a: "1", empty: "" },
      envVars: { NAME: "value" },
      allow_internet_access: false,
    });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      templateID: "base",
      sandboxID: expect.stringMatching(/^i[a-z0-9]{20}$/),
      clientID: expect.any(String),
      envdVersion: "0.6.13",
      envdAccessToken: expect.stringMatching(/^[0-9a-f]{48}$/),
      domain: "localhost:3000",
    });
    const sandbox = cluster.node.sandboxes.get(stringField(answer.body, "sandboxID"));
    expect(sandbox?.manifest).toMatchObject({
      teamId: "team1",
      envVars: { NAME: "value" },
      secure: true,
      allowPublicTraffic: true,
      allowInternetAccess: false,
      egress: { policy: { denyOut: ["0.0.0.0/0"] } },
      metadata: { entries: { a: "1", empty: "" } },
    });
    expect(Number(sandbox?.manifest.endTime?.remainingMs)).toBeGreaterThan(55_000);
  });

  test("the older route has no token unless it is asked for, and both have the contract's default lifetimes", async () => {
    const plain = await post({ templateID: "base" }, "/sandboxes");
    expect(field(plain.body, "envdAccessToken")).toBeUndefined();
    expect(await lifetime(stringField(plain.body, "sandboxID"))).toBe(15);
    const secure = await post({ templateID: "base", secure: true }, "/sandboxes");
    expect(field(secure.body, "envdAccessToken")).toEqual(expect.any(String));
    const v2 = await post({ templateID: "base" });
    expect(await lifetime(stringField(v2.body, "sandboxID"))).toBe(300);
  });

  test("without public traffic there is a traffic token, and the detail says so", async () => {
    const answer = await post({ templateID: "base", network: { allowPublicTraffic: false } });
    expect(field(answer.body, "trafficAccessToken")).toEqual(expect.stringMatching(/^[0-9a-f]{48}$/));
    const detail = await cluster.call("GET", `/sandboxes/${stringField(answer.body, "sandboxID")}`);
    expect(field(detail.body, "network")).toEqual({ allowPublicTraffic: false, allowOut: [], denyOut: [] });
    expect(await cluster.control.locate(stringField(answer.body, "sandboxID"))).toMatchObject({
      publicTraffic: false,
      trafficAccessToken: field(answer.body, "trafficAccessToken"),
      gatewayAddress: "127.0.0.1:9",
      state: "running",
    });
  });

  test("an alias finds its template, and is shown", async () => {
    expect((await post({ templateID: "default" })).body).toMatchObject({ templateID: "base", alias: "default" });
  });

  test("what this version leaves to the client is accepted", async () => {
    const answer = await post({ templateID: "base", mcp: { server: {} }, iam: {}, volumeMounts: [], network: {} });
    expect(answer.status).toBe(201);
  });

  test.each([
    [{ timeout: 0 }, "Timeout must be greater than 0"],
    [{ timeout: -1 }, "Timeout must be greater than 0"],
    [{ timeout: 86_401 }, "Timeout cannot be greater than 24 hours"],
    [{ autoPauseMemory: false }, "autoPauseMemory=false only applies when autoPause is true."],
    [{ autoPause: true, autoPauseMemory: false, autoResume: { enabled: true } }, /cannot be combined with autoResume/],
    [{ autoPause: true }, "autoPause is not supported yet"],
    [{ volumeMounts: [{ name: "v", path: "/v" }] }, "Volume mounts are not enabled."],
    [{ iam: { tokens: { a: {} } } }, "iam is not supported yet"],
    [{ network: { egressProxy: { address: "x" } } }, "network.egressProxy is not supported yet"],
    [{ network: { rules: { "a.example": [] } } }, "network.rules is not supported yet"],
    [{ network: { maskRequestHost: "a" } }, "network.maskRequestHost is not supported yet"],
    [{ network: { httpsPorts: [443] } }, "network.httpsPorts is not supported yet"],
    [{ network: { denyOut: ["example.com"] } }, /denyOut takes IP addresses and CIDR blocks/],
    [{ network: { allowOut: ["example.com"] } }, /need denyOut to hold 0.0.0.0\/0/],
    [{ metadata: { a: 5 } }, "body/metadata/a must be string"],
    [{ metadata: { a: null } }, "body/metadata/a must be string"],
    [{ metadata: { "": "x" } }, "A metadata key must not be empty"],
    [{ metadata: { a: "x".repeat(4097) } }, /at most 4096 bytes/],
    [{ envVars: { "A=B": "x" } }, /envVars name/],
    [{ envVars: { A: "x\0" } }, /envVars value/],
    [{ envVars: { A: "x".repeat(33_000) } }, /envVars value/],
    [{ templateID: "" }, /templateID must NOT have fewer than 1 characters/],
    [{ templateID: 7 }, "body/templateID must be string"],
  ])("%j is refused with 400 and says why", async (body, message) => {
    const running = cluster.node.sandboxes.size;
    const answer = await post({ templateID: "base", ...body });
    const expected = typeof message === "string" ? message : expect.stringMatching(message);
    expect(answer.body).toEqual(errorBody(400, expected));
    expect(cluster.node.sandboxes.size).toBe(running);
  });

  test("without public traffic the older route needs secure", async () => {
    const answer = await post({ templateID: "base", network: { allowPublicTraffic: false } }, "/sandboxes");
    expect(answer.body).toEqual(errorBody(400, expect.stringContaining("unless you enable secure envd access")));
  });

  test("an unknown template is a 404", async () => {
    expect((await post({ templateID: "nope" })).body).toEqual(errorBody(404, "template 'nope' not found"));
  });

  test("a start that fails is a 500 without the cause, and leaves no record", async () => {
    cluster.node.hooks.create = () => {
      throw new ConnectError("runc: exit status 1 at /var/lib", Code.Internal);
    };
    const before = await cluster.call("GET", "/sandboxes");
    const answer = await post({ templateID: "base" });
    expect(answer.body).toEqual(errorBody(500, "Internal error"));
    expect(await cluster.store.listOnNode(cluster.node.nodeId)).toHaveLength(Object(before.body).length);
  });

  test("a client that goes away leaves nothing behind", async () => {
    const asked = gate();
    const answer = gate();
    let sandboxId = "";
    cluster.node.hooks.create = async (manifest) => {
      sandboxId = manifest.sandboxId;
      asked.open();
      await answer.opened;
    };
    const leaving = new AbortController();
    const request = cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base" }, signal: leaving.signal });
    request.catch(() => {});
    await asked.opened;
    leaving.abort();
    await expect(request).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer.open();
    await eventually(async () => {
      expect(cluster.node.sandboxes.has(sandboxId)).toBe(false);
      expect(await cluster.store.locate(sandboxId)).toBeUndefined();
    });
  });
});

test("at the team's limit a create is a 429 that says when to try again, and a kill makes room", async () => {
  await using cluster = await startCluster({ quota: 2 });
  const id = await cluster.create();
  await cluster.create();
  const answer = await cluster.call("POST", "/sandboxes", { body: { templateID: "base" } });
  expect(answer.body).toEqual(errorBody(429, expect.any(String)));
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await cluster.call("DELETE", `/sandboxes/${id}`)).status).toBe(204);
  await cluster.create();
});

test("concurrent creates never exceed the team's limit", async () => {
  await using cluster = await startCluster({ quota: 3 });
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base" } })),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
  expect(cluster.node.sandboxes.size).toBe(3);
});

test("a sandbox that asks for an isolation goes to a node that has it, and says which it has", async () => {
  await using cluster = await startCluster({ nodes: 2 });
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error("two nodes");
  second.isolations = ["runc", "gvisor"];
  await second.register(cluster.registry);
  const ask = (isolation?: string) =>
    cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base", isolation } });
  const ids = await Promise.all(
    Array.from({ length: 4 }, async () => stringField((await ask("gvisor")).body, "sandboxID")),
  );
  expect([...second.sandboxes.keys()].sort()).toEqual([...ids].sort());
  for (const { manifest } of second.sandboxes.values()) expect(manifest.isolation).toBe("gvisor");
  expect((await cluster.call("GET", `/sandboxes/${ids[0]}`)).body).toMatchObject({ isolation: "gvisor" });

  const plain = stringField((await ask()).body, "sandboxID");
  expect((await cluster.call("GET", `/sandboxes/${plain}`)).body).toMatchObject({ isolation: "runc" });

  second.isolations = ["runc"];
  await second.register(cluster.registry);
  const refused = await ask("gvisor");
  expect(refused.status).toBe(400);
  expect(refused.body).toEqual(errorBody(400, "No node offers sandboxes with isolation gvisor"));
  expect((await ask("kvm")).status).toBe(400);
});

test("a burst of creates spreads evenly over the nodes, and a full node gets none", async () => {
  await using cluster = await startCluster({ nodes: 4 });
  const [full, ...others] = cluster.nodes;
  if (full === undefined) throw new Error("four nodes");
  full.capacity = 0;
  await full.register(cluster.registry);
  await Promise.all(Array.from({ length: 30 }, () => cluster.create()));
  expect(others.map(({ sandboxes }) => sandboxes.size)).toEqual([10, 10, 10]);
  expect(full.sandboxes.size).toBe(0);
});

test("a node that is dead although its lease runs costs one attempt: another node starts the sandbox", async () => {
  await using cluster = await startCluster({ nodes: 2 });
  await cluster.node.down();
  const ids = [await cluster.create(), await cluster.create(), await cluster.create()];
  for (const id of ids) expect(cluster.nodes[1]?.sandboxes.has(id)).toBe(true);
});

test("a start with an unknown outcome never becomes a second sandbox: its node ends it as soon as it answers", async () => {
  await using cluster = await startCluster({ nodes: 2, timing: { startMs: 200, callMs: 100 } });
  const [first, second] = cluster.nodes;
  if (!first || !second) throw new Error("two nodes");
  second.capacity = 0;
  await second.register(cluster.registry);
  const slow = gate();
  // It starts after its caller has given up, and does not hear the Delete in time.
  first.hooks.create = () => slow.opened;
  first.hooks.delete = () => slow.opened;
  const answer = await cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base" } });
  expect(answer.body).toEqual(errorBody(503, expect.any(String)));
  slow.open();
  await eventually(async () => {
    expect(first.sandboxes.size).toBe(0);
    expect(await cluster.store.listOnNode(first.nodeId)).toEqual([]);
  });
});

test("without a node, or with full ones only, a create is a 503 that says when to try again", async () => {
  await using cluster = await startCluster({ nodes: 0 });
  const none = await cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base" } });
  expect(none.body).toEqual(errorBody(503, "No node has registered yet"));
  const node = await cluster.addNode();
  node.capacity = 1;
  await node.register(cluster.registry);
  await cluster.create();
  await node.register(cluster.registry);
  const full = await cluster.call("POST", "/v2/sandboxes", { body: { templateID: "base" } });
  expect(full.body).toEqual(errorBody(503, "Every node is full"));
  expect(full.headers.get("retry-after")).toBe("2");
});
