import { once } from "node:events";
import { connect } from "node:net";
import { openStore } from "@castellan/store";
import { startRedisServer } from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { describe, expect, test } from "vitest";
import { type Cluster, errorBody, eventually, field, startCluster } from "./testing/cluster.ts";
import { EventSource } from "./testing/event-source.ts";

describe("reading events", () => {
  test("each has the fields that E2B's clients know, newest first", async () => {
    await using cluster = await startCluster();
    const id = await cluster.create({ metadata: { a: "1" } });
    await cluster.patch(id, { a: null, b: "2" });
    await cluster.call("POST", `/sandboxes/${id}/timeout`, { body: { timeout: 60 } });
    await cluster.call("PUT", `/sandboxes/${id}/network`, {
      body: { denyOut: ["10.0.0.0/8"], allowOut: ["10.1.2.3"] },
    });
    await cluster.call("DELETE", `/sandboxes/${id}`);
    const { status, body } = await cluster.call("GET", "/events/sandboxes");
    const common = {
      version: "v2",
      id: expect.stringMatching(/^\d{16}$/),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      sandboxId: id,
      sandboxExecutionId: expect.stringMatching(/^e/),
      sandboxTemplateId: "base",
      sandboxBuildId: "base",
      sandboxTeamId: "team1",
      metadataRevision: expect.any(Number),
      apiKeyId: "key-of-team1",
    };
    expect(status).toBe(200);
    expect(body).toEqual([
      {
        ...common,
        type: "sandbox.lifecycle.killed",
        eventData: {
          sandbox_metadata: { b: "2" },
          cause: "requested",
          execution: {
            started_at: expect.stringMatching(/Z$/),
            vcpu_count: expect.any(Number),
            memory_mb: expect.any(Number),
            execution_time: expect.any(Number),
          },
        },
      },
      {
        ...common,
        type: "sandbox.lifecycle.updated",
        eventData: {
          network_egress: { allowed_cidrs: ["10.1.2.3"], denied_cidrs: ["10.0.0.0/8"], allowed_domains: [] },
        },
      },
      { ...common, type: "sandbox.lifecycle.updated", eventData: { set_timeout: expect.stringMatching(/Z$/) } },
      { ...common, type: "sandbox.lifecycle.updated", eventData: { metadata_delta: { a: null, b: "2" } } },
      { ...common, type: "sandbox.lifecycle.created", eventData: { sandbox_metadata: { a: "1" } } },
    ]);
  });

  test("pages follow one another by offset or by token, in either order, for the types asked for", async () => {
    await using cluster = await startCluster();
    const id = await cluster.create();
    const other = await cluster.create();
    for (let n = 0; n < 5; n += 1) await cluster.patch(n % 2 === 0 ? id : other, { n: String(n) });
    const all = ids(await list(cluster, "?limit=100"));
    expect(all).toHaveLength(7);
    const first = await cluster.call("GET", "/events/sandboxes?limit=3");
    expect(ids(first.body)).toEqual(all.slice(0, 3));
    const second = await cluster.call("GET", `/events/sandboxes?limit=4&after=${first.headers.get("X-Next-Token")}`);
    expect(ids(second.body)).toEqual(all.slice(3));
    expect(ids(await list(cluster, "?limit=2&offset=4"))).toEqual(all.slice(4, 6));
    expect(ids(await list(cluster, "?orderAsc=true&limit=100"))).toEqual([...all].reverse());
    expect(ids(await list(cluster, "?types=sandbox.lifecycle.created&types=sandbox.lifecycle.killed"))).toHaveLength(2);
    expect(ids(await list(cluster, `/${id}`))).toHaveLength(4);
    expect(await list(cluster, "/inobody")).toEqual([]);
    const last = await cluster.call("GET", "/events/sandboxes?limit=100");
    expect(last.headers.get("X-Next-Token")).toBeNull();
  });

  test("a team sees its own events only", async () => {
    await using cluster = await startCluster();
    await cluster.create();
    const key = await cluster.addTeam("team2");
    expect((await cluster.call("GET", "/events/sandboxes", { key })).body).toEqual([]);
    expect((await cluster.call("GET", "/events/sandboxes", { key: null })).status).toBe(401);
  });

  test.each(["limit=0", "limit=101", "offset=-1", "types=created", "after=x", "orderAsc=perhaps"])(
    "%s is refused",
    async (query) => {
      await using cluster = await startCluster({ nodes: 0 });
      expect((await cluster.call("GET", `/events/sandboxes?${query}`)).status).toBe(400);
    },
  );
});

describe("following events", () => {
  test("they come as they happen, each with its id, type and JSON", async () => {
    await using cluster = await startCluster();
    await cluster.create();
    await using source = await follow(cluster);
    expect(source.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const id = await cluster.create({ metadata: { a: "1" } });
    await eventually(() => expect(source.events).toHaveLength(1));
    const [sent] = source.events;
    expect(sent).toMatchObject({ event: "sandbox.lifecycle.created" });
    const data: unknown = JSON.parse(sent?.data ?? "");
    expect(data).toMatchObject({ id: sent?.id, sandboxId: id, eventData: { sandbox_metadata: { a: "1" } } });
    expect(await list(cluster, "?limit=1")).toEqual([data]);
  });

  test("who resumes with the last id misses nothing and sees nothing twice", async () => {
    await using cluster = await startCluster();
    const id = await cluster.create();
    const first = await follow(cluster);
    await cluster.patch(id, { n: "0" });
    await eventually(() => expect(first.events).toHaveLength(1));
    await first.close();
    for (let n = 1; n <= 150; n += 1) await cluster.patch(id, { n: String(n) });
    const last = first.events[0]?.id ?? "";
    await using second = await follow(cluster, "", { "Last-Event-ID": last });
    await cluster.patch(id, { n: "151" });
    await eventually(() => expect(second.events).toHaveLength(151));
    expect(
      second.events.map(({ data }) => field(field(JSON.parse(data ?? ""), "eventData"), "metadata_delta")),
    ).toEqual(Array.from({ length: 151 }, (_, n) => ({ n: String(n + 1) })));
  });

  test("who resumes after an event that is not kept is told so", async () => {
    await using cluster = await startCluster();
    await cluster.create();
    await using source = await follow(cluster, "?after=1795000000000000");
    await eventually(() =>
      expect(source.events.map(({ event }) => event)).toEqual(["gap", "sandbox.lifecycle.created"]),
    );
    await using whole = await follow(cluster, "?after=0");
    await eventually(() => expect(whole.events.map(({ event }) => event)).toEqual(["sandbox.lifecycle.created"]));
  });

  test("one sandbox or some types can be followed alone", async () => {
    await using cluster = await startCluster();
    const [id, other] = [await cluster.create(), await cluster.create()];
    await using ofOne = await follow(cluster, `/${id}`);
    await using kills = await follow(cluster, "?types=sandbox.lifecycle.killed");
    await cluster.patch(other, { a: "1" });
    await cluster.patch(id, { a: "1" });
    await cluster.call("DELETE", `/sandboxes/${other}`);
    await cluster.call("DELETE", `/sandboxes/${id}`);
    await eventually(() => {
      expect(ofOne.events.map(({ event }) => event)).toEqual(["sandbox.lifecycle.updated", "sandbox.lifecycle.killed"]);
      expect(kills.events).toHaveLength(2);
    });
  });

  test("a comment comes when nothing happens, and the stream ends with the process", async () => {
    const cluster = await startCluster({ eventStreams: { commentMs: 50 } });
    const source = await follow(cluster);
    await eventually(() => expect(source.seen.filter(({ comment }) => comment === "").length).toBeGreaterThan(2));
    await cluster[Symbol.asyncDispose]();
    expect(await source.ended).toBe("end");
  });

  test("a stream ends after its time, and too many at once are refused until one has gone", async () => {
    await using cluster = await startCluster({ eventStreams: { perTeam: 2, longestMs: 400 } });
    const [first, second] = [await follow(cluster), await follow(cluster)];
    const third = await cluster.call("GET", "/events/sandboxes", { headers: { Accept: "text/event-stream" } });
    expect([third.status, third.body]).toEqual([429, errorBody(429, expect.stringContaining("At most 2 streams"))]);
    await first.close();
    await eventually(async () => {
      await using again = await follow(cluster);
      expect(again.status).toBe(200);
    });
    expect(await second.ended).toBe("end");
  });

  test("a reader that takes nothing is cut off, and holds up no other", async () => {
    await using cluster = await startCluster({ eventStreams: { slowMs: 200 } });
    const id = await cluster.create();
    const { hostname, port } = new URL(cluster.url);
    const socket = connect(Number(port), hostname);
    socket.pause();
    socket.write(
      `GET /events/sandboxes HTTP/1.1\r\nHost: x\r\nX-API-Key: ${cluster.key}\r\nAccept: text/event-stream\r\n\r\n`,
    );
    const closed = once(socket, "close");
    await using other = await follow(cluster);
    const large = "x".repeat(4096);
    for (let n = 0; n < 200; n += 1) {
      const delta = Object.fromEntries(Array.from({ length: 15 }, (_, k) => [`k${k}`, `${n}${large}`.slice(0, 4096)]));
      expect((await cluster.patch(id, delta)).status).toBe(200);
    }
    await eventually(() => expect(other.events).toHaveLength(200));
    // What the kernel had taken comes, then the end.
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.on("error", () => {});
    socket.resume();
    await closed;
    expect(bytes).toBeLessThan(200 * 15 * 4096);
  }, 60_000);
});

test("what happens through one API process is seen through the other", async () => {
  await using redis = await startRedis();
  const logger = createLogger("test", "silent");
  await using first = await startCluster({ store: await openStore(redis.url, { logger }) });
  await using second = await startCluster({ store: await openStore(redis.url, { logger }), nodes: 0 });
  await using source = await follow(second);
  const id = await first.create();
  await first.patch(id, { a: "1" });
  await eventually(() =>
    expect(source.events.map(({ event }) => event)).toEqual(["sandbox.lifecycle.created", "sandbox.lifecycle.updated"]),
  );
  // The store does not answer for a while: nobody is cut off, and nothing is missed.
  redis.suspend();
  await new Promise((resolve) => setTimeout(resolve, 300));
  redis.resume();
  await eventually(async () => expect((await first.patch(id, { a: "2" })).status).toBe(200));
  await eventually(() => expect(source.events).toHaveLength(3));
});

async function startRedis() {
  const server = await startRedisServer();
  return {
    url: server.url,
    suspend: () => server.suspend(),
    resume: () => server.resume(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

function follow(cluster: Cluster, query = "", headers: Readonly<Record<string, string>> = {}): Promise<EventSource> {
  return EventSource.open(`${cluster.url}/events/sandboxes${query}`, cluster.key, headers);
}

async function list(cluster: Cluster, query: string): Promise<unknown> {
  return (await cluster.call("GET", `/events/sandboxes${query}`)).body;
}

function ids(events: unknown): unknown[] {
  if (!Array.isArray(events)) throw new Error(`no events: ${JSON.stringify(events)}`);
  return events.map((event: unknown) => field(event, "id"));
}
