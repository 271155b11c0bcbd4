import { createHash, createHmac } from "node:crypto";
import { openStore } from "@castellan/store";
import { startRedisServer } from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { describe, expect, test } from "vitest";
import { type Cluster, type ClusterOptions, eventually, field, startCluster, stringField } from "./testing/cluster.ts";
import { Receiver } from "./testing/receiver.ts";

const all = ["created", "updated", "paused", "resumed", "checkpointed", "killed", "lost"].map(
  (type) => `sandbox.lifecycle.${type}`,
);
const quick = { allow: ["127.0.0.0/8"], firstRetryMs: 40, attempts: 3, everyMs: 20 };

describe("managing webhooks", () => {
  test("a webhook is created, shown, changed and removed as E2B's clients do it, its secret never shown", async () => {
    await using cluster = await startCluster({ nodes: 0 });
    const events = ["sandbox.lifecycle.created", "sandbox.lifecycle.killed"];
    const wanted = { name: "Mine", url: "https://example.com/hook", enabled: true, events, signatureSecret: "hush" };
    const created = await cluster.call("POST", "/events/webhooks", { body: wanted });
    expect(created.status).toBe(201);
    const { signatureSecret: _secret, ...visible } = wanted;
    const shown = {
      ...visible,
      id: expect.any(String),
      teamID: "team1",
      teamId: "team1",
      createdAt: expect.any(String),
    };
    expect(created.body).toEqual(shown);
    const id = stringField(created.body, "id");
    expect((await cluster.call("GET", "/events/webhooks")).body).toEqual([shown]);
    expect((await cluster.call("GET", `/events/webhooks/${id}`)).body).toEqual(shown);
    const changes = { url: "https://example.org/", enabled: false, events: ["sandbox.lifecycle.lost"] };
    const changed = await cluster.call("PATCH", `/events/webhooks/${id}`, { body: changes });
    expect([changed.status, changed.body]).toEqual([200, { ...shown, ...changes }]);
    expect(JSON.stringify((await cluster.call("GET", "/events/webhooks")).body)).not.toContain("hush");
    expect((await cluster.call("GET", `/events/webhooks/${id}/dead-letters`)).body).toEqual([]);

    const key = await cluster.addTeam("team2");
    for (const [method, path] of [
      ["GET", ""],
      ["PATCH", ""],
      ["DELETE", ""],
      ["GET", "/dead-letters"],
    ] as const) {
      const options = method === "PATCH" ? { key, body: {} } : { key };
      expect((await cluster.call(method, `/events/webhooks/${id}${path}`, options)).status).toBe(404);
    }
    expect((await cluster.call("DELETE", `/events/webhooks/${id}`)).status).toBe(200);
    expect((await cluster.call("GET", `/events/webhooks/${id}`)).status).toBe(404);
  });

  test("a secret that nobody chose is made, and told once", async () => {
    await using cluster = await startCluster({ nodes: 0 });
    const body = { name: "Mine", url: "https://example.com/", events: all };
    const made = stringField((await cluster.call("POST", "/events/webhooks", { body })).body, "signatureSecret");
    expect(made.length).toBeGreaterThan(40);
    expect(JSON.stringify((await cluster.call("GET", "/events/webhooks")).body)).not.toContain(made);
  });

  test.each([
    "ftp://example.com/",
    "https://user:pass@example.com/",
    "nonsense",
    "http://127.0.0.1:3000/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://10.1.2.3/",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://[fd00::1]/",
    "http://[fe80::1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://0.0.0.0/",
  ])("%s is refused as a target", async (url) => {
    await using cluster = await startCluster({ nodes: 0 });
    const body = { name: "Mine", url, events: all };
    expect((await cluster.call("POST", "/events/webhooks", { body })).status).toBe(400);
  });
});

describe("delivering", () => {
  test("every event of the types asked for is posted, with a signature that E2B's clients accept", async () => {
    await using receiver = await Receiver.start();
    await using cluster = await startCluster({ webhooks: quick });
    const webhookId = await hook(cluster, receiver.url, {
      events: ["sandbox.lifecycle.created", "sandbox.lifecycle.killed"],
      signatureSecret: "secret-é",
    });
    const id = await cluster.create({ metadata: { a: "1" } });
    await cluster.patch(id, { a: "2" });
    await cluster.call("DELETE", `/sandboxes/${id}`);
    await eventually(() => expect(receiver.deliveries).toHaveLength(2));
    const events = [(await cluster.call("GET", "/events/sandboxes?orderAsc=true")).body].flat();
    for (const { headers, body } of receiver.deliveries) {
      // As E2B's documents have receivers do it.
      const expected = createHash("sha256")
        .update(`secret-é${body}`)
        .digest("base64")
        .replace(/\+/g, "-")
        .replace(/\//g, "_")
        .replace(/=+$/, "");
      expect(headers).toMatchObject({
        "content-type": "application/json",
        "e2b-webhook-id": webhookId,
        "e2b-delivery-id": expect.any(String),
        "e2b-signature-version": "v1",
        "e2b-signature": expected,
      });
      const [, time = "", mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["castellan-signature"])) ?? [];
      expect(createHmac("sha256", "secret-é").update(`${time}.${body}`).digest("hex")).toBe(mac);
      const sent: unknown = JSON.parse(body);
      expect(events).toContainEqual(expect.objectContaining({ id: headers["castellan-event-id"] }));
      expect(field(sent, "event_data")).toEqual(field(sent, "eventData"));
      expect(field(sent, "sandbox_id")).toBe(id);
    }
    const first: unknown = JSON.parse(receiver.deliveries[0]?.body ?? "");
    expect(first).toMatchObject(Object(events[0]));
  });

  test("what fails is tried again, later each time, and those behind it of the same sandbox wait", async () => {
    await using receiver = await Receiver.start();
    await using cluster = await startCluster({ webhooks: { ...quick, attempts: 5, firstRetryMs: 100 } });
    await hook(cluster, receiver.url);
    receiver.answer = (response, { headers, body }) => {
      const fails = body.includes("failing") && Number(headers["castellan-attempt"]) <= 2;
      response.writeHead(fails ? 500 : 200).end("x".repeat(100_000));
    };
    const id = await cluster.create({ metadata: { failing: "1" } });
    await eventually(() => expect(receiver.deliveries).toHaveLength(1));
    await cluster.patch(id, { a: "1" });
    const other = await cluster.create();
    await eventually(() => expect(told(receiver, id)).toEqual(["created", "created", "created", "updated"]));
    expect(told(receiver, other).at(-1)).toBe("created");
    const attempts = receiver.deliveries.filter(
      ({ headers, body }) => headers["castellan-attempt"] && body.includes(id),
    );
    expect(attempts.map(({ headers }) => headers["castellan-attempt"]).slice(0, 3)).toEqual(["1", "2", "3"]);
    const waits = attempts.map(({ at }, n) => at - (attempts[n - 1]?.at ?? at));
    expect(waits[1]).toBeGreaterThanOrEqual(45);
    expect(waits[2]).toBeGreaterThanOrEqual(95);
    // Every attempt has an id of its own, and the same body.
    expect(new Set(attempts.slice(0, 3).map(({ headers }) => headers["e2b-delivery-id"])).size).toBe(3);
    expect(new Set(attempts.slice(0, 3).map(({ body }) => body)).size).toBe(1);
  });

  test("what fails every time is a dead letter, and the next event is tried all the same", async () => {
    await using receiver = await Receiver.start();
    await using cluster = await startCluster({ webhooks: quick });
    const webhookId = await hook(cluster, receiver.url);
    receiver.answer = (response) => response.writeHead(307, { Location: receiver.url }).end();
    const id = await cluster.create();
    await eventually(async () => expect(await deadLetters(cluster, webhookId)).toHaveLength(1));
    expect(receiver.deliveries).toHaveLength(3);
    const [letter] = await deadLetters(cluster, webhookId);
    expect(letter).toEqual({
      eventId: expect.stringMatching(/^\d+$/),
      sandboxId: id,
      attempts: 3,
      timestamp: expect.stringMatching(/Z$/),
      error: "It answered 307",
      payload: receiver.deliveries[0]?.body,
    });
    receiver.answer = (response) => response.writeHead(200).end();
    await cluster.patch(id, { a: "1" });
    await eventually(() => expect(told(receiver, id).at(-1)).toBe("updated"));
  });

  test("a receiver that does not answer holds up no other", async () => {
    await using deaf = await Receiver.start();
    await using receiver = await Receiver.start();
    await using cluster = await startCluster({ webhooks: { ...quick, attemptMs: 300, attempts: 1 } });
    const silent = await hook(cluster, deaf.url);
    await hook(cluster, receiver.url);
    deaf.answer = () => {};
    const id = await cluster.create();
    await eventually(() => expect(told(receiver, id)).toEqual(["created"]));
    await eventually(async () =>
      expect(await deadLetters(cluster, silent)).toMatchObject([{ error: "It did not answer in time" }]),
    );
  });

  test("a name that leads to a private address is refused when it is called, whatever it said before", async () => {
    await using receiver = await Receiver.start();
    await using cluster = await startCluster({ webhooks: { ...quick, allow: [], attempts: 1 } });
    const webhookId = await hook(cluster, receiver.url.replace("127.0.0.1", "localhost"));
    await cluster.create();
    await eventually(async () =>
      expect(await deadLetters(cluster, webhookId)).toMatchObject([
        { error: "Webhooks may not go to private or internal addresses" },
      ]),
    );
    expect(receiver.deliveries).toEqual([]);
  });

  test("with two API processes each event is delivered by one", async () => {
    await using receiver = await Receiver.start();
    const redis = await startRedisServer();
    try {
      const logger = createLogger("test", "silent");
      const start = async (options: ClusterOptions) =>
        startCluster({ store: await openStore(redis.url, { logger }), webhooks: quick, ...options });
      await using first = await start({});
      await using second = await start({ nodes: 0 });
      await hook(second, receiver.url);
      const id = await first.create();
      for (let n = 0; n < 30; n += 1) await (n % 2 === 0 ? first : second).patch(id, { n: String(n) });
      await eventually(() => expect(receiver.deliveries.length).toBeGreaterThanOrEqual(31));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const eventIds = receiver.deliveries.map(({ headers }) => Number(headers["castellan-event-id"]));
      expect(eventIds).toHaveLength(31);
      expect([...eventIds].sort((a, b) => a - b)).toEqual(eventIds);
    } finally {
      await redis.stop();
    }
  });

  test("what was in flight when a process stopped is delivered by the next", async () => {
    await using receiver = await Receiver.start();
    const redis = await startRedisServer();
    try {
      const logger = createLogger("test", "silent");
      const first = await startCluster({ store: await openStore(redis.url, { logger }), webhooks: quick });
      await hook(first, receiver.url);
      receiver.answer = () => {};
      const id = await first.create();
      await eventually(() => expect(receiver.deliveries).toHaveLength(1));
      const stopping = performance.now();
      await first[Symbol.asyncDispose]();
      expect(performance.now() - stopping).toBeLessThan(5_000);
      receiver.answer = (response) => response.writeHead(200).end();
      await using _next = await startCluster({
        store: await openStore(redis.url, { logger }),
        webhooks: quick,
        nodes: 0,
      });
      await eventually(() => expect(told(receiver, id)).toEqual(["created", "created"]));
    } finally {
      await redis.stop();
    }
  });
});

async function hook(cluster: Cluster, url: string, changes: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const body = { name: "test", url, events: all, signatureSecret: "secret", ...changes };
  const answer = await cluster.call("POST", "/events/webhooks", { body });
  if (answer.status !== 201) throw new Error(`it answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return stringField(answer.body, "id");
}

async function deadLetters(cluster: Cluster, webhookId: string): Promise<unknown[]> {
  return [(await cluster.call("GET", `/events/webhooks/${webhookId}/dead-letters`)).body].flat();
}

/** The types of what a receiver was told of a sandbox. */
function told(receiver: Receiver, sandboxId: string): string[] {
  return receiver.deliveries
    .map(({ body }): unknown => JSON.parse(body))
    .filter((event) => field(event, "sandboxId") === sandboxId)
    .map((event) => stringField(event, "event_label"));
}
