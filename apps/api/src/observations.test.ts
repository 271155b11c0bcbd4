import { create } from "@bufbuild/protobuf";
import {
  type MetricSample,
  MetricSampleSchema,
  type SandboxLogEntry,
  SandboxLogEntrySchema,
  SandboxLogLevel,
  type SandboxLogsRequest,
  type SandboxMetricsRequest,
} from "@castellan/contracts/sandbox";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Cluster, errorBody, startCluster } from "./testing/cluster.ts";

const at = Date.parse("2026-01-02T03:04:05.678Z");

function sample(cpuUsedPercent = 12.34): MetricSample {
  return create(MetricSampleSchema, {
    timeMs: BigInt(at),
    cpuUsedPercent,
    cpuCount: 2,
    memoryUsedBytes: 100n,
    memoryTotalBytes: 200n,
    memoryCacheBytes: 50n,
    diskUsedBytes: 300n,
    diskTotalBytes: 400n,
  });
}

const presented = {
  timestamp: "2026-01-02T03:04:05.678Z",
  timestampUnix: Math.floor(at / 1000),
  cpuCount: 2,
  cpuUsedPct: 12.34,
  memUsed: 100,
  memTotal: 200,
  memCache: 50,
  diskUsed: 300,
  diskTotal: 400,
};

const notFound = (id: string) => errorBody(404, `Sandbox "${id}" doesn't exist or you don't have access to it`);
const silent = (id: string) => errorBody(503, `The node of sandbox "${id}" does not answer`);

describe("what a sandbox uses", () => {
  let cluster: Cluster;
  let id: string;
  const asked: SandboxMetricsRequest[] = [];
  beforeEach(async () => {
    asked.length = 0;
    cluster = await startCluster({ timing: { callMs: 300 }, loops: false });
    cluster.node.hooks.metrics = (request) => void asked.push(request);
    id = await cluster.create();
    cluster.node.samples.set(id, [sample()]);
  });
  afterEach(() => cluster[Symbol.asyncDispose]());

  it("is told as its node has measured it", async () => {
    const answer = await cluster.call("GET", `/sandboxes/${id}/metrics`);
    expect([answer.status, answer.body]).toEqual([200, [presented]]);
    await cluster.call("GET", `/sandboxes/${id}/metrics?start=10&end=20`);
    expect(asked.map(({ fromS, toS }) => [fromS, toS])).toEqual([
      [undefined, undefined],
      [10n, 20n],
    ]);
  });

  it.each(["start=2&end=1", "start=-1", "start=x", "start=1.5", "end=99999999999999999999"])(
    "is refused for a range that is none: %s",
    async (query) => {
      expect((await cluster.call("GET", `/sandboxes/${id}/metrics?${query}`)).status).toBe(400);
      expect(asked).toEqual([]);
    },
  );

  it("is nobody's who does not own the sandbox, and not that of one that is not there", async () => {
    const key = await cluster.addTeam("team2");
    const other = await cluster.call("GET", `/sandboxes/${id}/metrics`, { key });
    expect([other.status, other.body]).toEqual([404, notFound(id)]);
    expect((await cluster.call("GET", "/sandboxes/inone/metrics")).status).toBe(404);
    const several = await cluster.call("GET", `/sandboxes/metrics?sandbox_ids=${id}`, { key });
    expect([several.status, several.body]).toEqual([200, { sandboxes: {} }]);
    expect(asked).toEqual([]);
  });

  it("is unknown, not gone, while its node does not answer", async () => {
    cluster.node.hooks.metrics = () => new Promise(() => {});
    const hangs = await cluster.call("GET", `/sandboxes/${id}/metrics`);
    expect([hangs.status, hangs.body, hangs.headers.get("retry-after")]).toEqual([503, silent(id), "5"]);
    await cluster.node.down();
    expect((await cluster.call("GET", `/sandboxes/${id}/metrics`)).status).toBe(503);
  });

  it("is told of several at once, the newest of each, from all nodes that answer", async () => {
    const second = await cluster.addNode();
    const ids = [id];
    while (second.sandboxes.size === 0) ids.push(await cluster.create());
    for (const node of cluster.nodes) for (const one of node.sandboxes.keys()) node.samples.set(one, [sample()]);
    const all = `/sandboxes/metrics?sandbox_ids=${[...ids, "inone"].join(",")}`;
    expect((await cluster.call("GET", all)).body).toEqual({
      sandboxes: Object.fromEntries(ids.map((one) => [one, presented])),
    });
    expect(asked.at(-1)?.latest).toBe(true);
    await second.down();
    const rest = ids.filter((one) => cluster.node.sandboxes.has(one));
    expect(rest.length).toBeLessThan(ids.length);
    expect((await cluster.call("GET", all)).body).toEqual({
      sandboxes: Object.fromEntries(rest.map((one) => [one, presented])),
    });
  });

  it.each([
    ["no ids", ""],
    ["an id that cannot be one", "?sandbox_ids=!!"],
    ["one twice", "?sandbox_ids=ia,ia"],
    ["more than a hundred", `?sandbox_ids=${Array.from({ length: 101 }, (_, index) => `i${index}`).join(",")}`],
  ])("is refused for several with %s", async (_, query) => {
    expect((await cluster.call("GET", `/sandboxes/metrics${query}`)).status).toBe(400);
  });
});

describe("what is said about a sandbox", () => {
  let cluster: Cluster;
  let id: string;
  const asked: SandboxLogsRequest[] = [];
  const entry = (more: Partial<SandboxLogEntry> = {}) =>
    create(SandboxLogEntrySchema, {
      timeMs: BigInt(at),
      level: SandboxLogLevel.WARN,
      logger: "process",
      message: "process ended",
      fields: { pid: "7", level: "a field of this name" },
      ...more,
    });
  const shown = {
    timestamp: "2026-01-02T03:04:05.678Z",
    level: "warn",
    message: "process ended",
    fields: { pid: "7", level: "a field of this name", logger: "process" },
  };

  beforeEach(async () => {
    asked.length = 0;
    cluster = await startCluster({ timing: { callMs: 300 } });
    cluster.node.hooks.logs = (request) => void asked.push(request);
    id = await cluster.create();
    cluster.node.logs.set(`team1/${id}`, [entry()]);
  });
  afterEach(() => cluster[Symbol.asyncDispose]());

  it("is told as lines that the CLI can read, and in parts", async () => {
    const answer = await cluster.call("GET", `/sandboxes/${id}/logs?start=5&limit=7`);
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        logs: [
          {
            timestamp: shown.timestamp,
            line: '{"pid":"7","level":"warn","logger":"process","message":"process ended"}',
          },
        ],
        logEntries: [shown],
      },
    ]);
    expect(asked[0]).toMatchObject({ fromMs: 5n, backward: false, limit: 7, teamId: "team1" });
  });

  it("is told newest first, by level and by a part of the message", async () => {
    const answer = await cluster.call("GET", `/v2/sandboxes/${id}/logs?cursor=9&level=warn&search=ended&limit=3`);
    expect([answer.status, answer.body]).toEqual([200, { logs: [shown] }]);
    expect(asked[0]).toMatchObject({
      toMs: 9n,
      backward: true,
      limit: 3,
      leastLevel: SandboxLogLevel.WARN,
      search: "ended",
    });
    await cluster.call("GET", `/v2/sandboxes/${id}/logs?cursor=9&direction=forward`);
    expect(asked[0]?.fromMs ?? asked[1]?.toMs).toBeUndefined();
    expect(asked[1]).toMatchObject({ fromMs: 9n, backward: false, limit: 1000 });
  });

  it.each([
    `/sandboxes/ID/logs?limit=-1`,
    `/sandboxes/ID/logs?start=x`,
    `/v2/sandboxes/ID/logs?limit=1001`,
    `/v2/sandboxes/ID/logs?direction=sideways`,
    `/v2/sandboxes/ID/logs?level=loud`,
    `/v2/sandboxes/ID/logs?search=${"x".repeat(257)}`,
  ])("is refused to a question that makes no sense: %s", async (path) => {
    expect((await cluster.call("GET", path.replace("ID", id))).status).toBe(400);
  });

  it("is still there after the sandbox's end, for its own team", async () => {
    await cluster.call("DELETE", `/sandboxes/${id}`);
    const key = await cluster.addTeam("team2");
    expect((await cluster.call("GET", `/v2/sandboxes/${id}/logs`)).body).toEqual({ logs: [shown] });
    const other = await cluster.call("GET", `/v2/sandboxes/${id}/logs`, { key });
    expect([other.status, other.body]).toEqual([404, notFound(id)]);
    expect((await cluster.call("GET", "/sandboxes/inone/logs")).status).toBe(404);
  });

  it("is unknown, not gone, while the node of a sandbox that runs does not answer", async () => {
    await cluster.node.down();
    const answer = await cluster.call("GET", `/sandboxes/${id}/logs`);
    expect([answer.status, answer.body]).toEqual([503, silent(id)]);
  });
});
