import type { TeamLimits } from "@castellan/domain";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Cluster, errorBody, startCluster, stringField } from "./testing/cluster.ts";

const gib = 1024 ** 3;

describe("a team's limits", () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await startCluster({
      loops: false,
      templateLimits: { default: { defaultTimeoutSeconds: 40, maxTimeoutSeconds: 3_600, memoryMb: 256 } },
    });
  });
  afterEach(() => cluster[Symbol.asyncDispose]());

  /** A key of a team with these limits. */
  const keyOf = async (limits: TeamLimits, quota = 100) => {
    const key = await cluster.addTeam("limited", quota);
    await cluster.store.putTeam({ teamId: "limited", name: "limited", maxConcurrentSandboxes: quota, limits });
    return key;
  };
  const create = (key: string, body: object = {}) =>
    cluster.call("POST", "/sandboxes", { key, body: { templateID: "base", ...body } });

  it.each([
    ["CPU count can't be higher than 1 for this team", { maxCpuCount: 1 }],
    ["Memory can't be higher than 128 MiB for this team", { maxMemoryMb: 128 }],
    ["Disk size can't be higher than 512 MiB for this team", { maxDiskMb: 512 }],
  ])("refuse a sandbox that is too large: %s", async (message, limits) => {
    const answer = await create(await keyOf(limits));
    expect([answer.status, answer.body]).toEqual([400, errorBody(400, message)]);
    expect(cluster.node.sandboxes.size).toBe(0);
  });

  it("let pass what is as large as they say", async () => {
    const key = await keyOf({ maxCpuCount: 2, maxMemoryMb: 256, maxDiskMb: 1024, maxTimeoutSeconds: 60 });
    expect((await create(key, { timeout: 60 })).status).toBe(201);
  });

  it("hold at create, and whenever a life is lengthened", async () => {
    const key = await keyOf({ maxTimeoutSeconds: 60 });
    const tooLong = errorBody(400, "Timeout cannot be greater than 60 seconds");
    const refused = await create(key, { timeout: 61 });
    expect([refused.status, refused.body]).toEqual([400, tooLong]);
    const id = stringField((await create(key, { timeout: 30 })).body, "sandboxID");
    for (const [path, body] of [
      ["timeout", { timeout: 61 }],
      ["refreshes", { duration: 61 }],
      ["connect", { timeout: 61 }],
    ] as const) {
      const answer = await cluster.call("POST", `/sandboxes/${id}/${path}`, { key, body });
      expect([path, answer.status, answer.body]).toEqual([path, 400, tooLong]);
    }
    expect((await cluster.call("POST", `/sandboxes/${id}/timeout`, { key, body: { timeout: 60 } })).status).toBe(204);
  });

  it("hold sandboxes that run at once to a number, with the seconds to wait", async () => {
    const key = await keyOf({}, 1);
    await create(key);
    const answer = await create(key);
    expect([answer.status, answer.body, answer.headers.get("retry-after")]).toEqual([
      429,
      errorBody(429, "The team may have at most 1 concurrent sandboxes"),
      "10",
    ]);
  });

  it("hold each API key to requests per second, say where it stands, and end after the second", async () => {
    const key = await keyOf({ requestsPerSecond: 3 });
    const ask = (withKey: string) => cluster.call("GET", "/v2/sandboxes", { key: withKey });
    const answers = [await ask(key), await ask(key), await ask(key), await ask(key), await ask(key)];
    const refused = answers.filter(({ status }) => status === 429);
    // Five requests may reach into the next second, but never is nobody refused or everybody.
    expect(answers[0]?.status).toBe(200);
    expect(answers[0]?.headers.get("ratelimit-limit")).toBe("3");
    expect(answers[0]?.headers.get("ratelimit-remaining")).toBe("2");
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.body).toEqual(errorBody(429, "Rate limit exceeded"));
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    expect(refused[0]?.headers.get("ratelimit-remaining")).toBe("0");
    expect((await ask(cluster.key)).status).toBe(200);
    expect((await ask(cluster.key)).headers.get("ratelimit-limit")).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect((await ask(key)).status).toBe(200);
  });

  it("come with those of the template: its default, its longest life and its size", async () => {
    const answer = await create(cluster.key);
    const id = stringField(answer.body, "sandboxID");
    const { body } = await cluster.call("GET", `/sandboxes/${id}`);
    const life = Date.parse(stringField(body, "endAt")) - Date.parse(stringField(body, "startedAt"));
    expect(Math.round(life / 1000)).toBe(40);
    expect(body).toMatchObject({ memoryMB: 256, cpuCount: 2, diskSizeMB: 1024 });
    const tooLong = errorBody(400, "Timeout cannot be greater than 1 hours");
    expect((await create(cluster.key, { timeout: 3_601 })).body).toEqual(tooLong);
    const longer = await cluster.call("POST", `/sandboxes/${id}/timeout`, { body: { timeout: 3_601 } });
    expect([longer.status, longer.body]).toEqual([400, tooLong]);
  });

  it("shorten a template's default rather than refuse who asks for nothing", async () => {
    const key = await keyOf({ maxTimeoutSeconds: 20 });
    expect((await create(key)).status).toBe(201);
  });
});

describe("a node's memory", () => {
  it("is promised up to what the node says, and not beyond", async () => {
    await using cluster = await startCluster({ loops: false, nodes: 1 });
    const { node } = cluster;
    // Room for two sandboxes of 512 MiB.
    node.memory = { memoryBytes: 8 * gib, sandboxMemoryBytes: gib, inUseBytes: gib };
    await node.register(cluster.registry);
    const ask = () => cluster.call("POST", "/sandboxes", { body: { templateID: "base" } });
    expect([(await ask()).status, (await ask()).status]).toEqual([201, 201]);
    await node.register(cluster.registry);
    const refused = await ask();
    expect([refused.status, refused.body, refused.headers.get("retry-after")]).toEqual([
      503,
      errorBody(503, "No node has enough memory for another sandbox"),
      "2",
    ]);
    await cluster.call("DELETE", `/sandboxes/${[...node.sandboxes.keys()][0]}`);
    await node.register(cluster.registry);
    expect((await ask()).status).toBe(201);
  });

  it("is what its machine really has left: nothing is placed on one that is nearly full", async () => {
    await using cluster = await startCluster({ loops: false, nodes: 1 });
    const { node } = cluster;
    node.memory = { memoryBytes: 8 * gib, sandboxMemoryBytes: 128 * gib, inUseBytes: 7.9 * gib };
    await node.register(cluster.registry);
    const refused = await cluster.call("POST", "/sandboxes", { body: { templateID: "base" } });
    expect(refused.status).toBe(503);
  });
});
