import { newOperationId } from "@castellan/domain";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import {
  edit,
  keyOf,
  metadataEdit,
  newTeam,
  quietLogger,
  refuses,
  report,
  revisionsOf,
  runOne,
  stored,
  tags,
  verifyOne,
} from "../contract/fixture.ts";
import { openStore } from "../open.ts";
import type { SandboxStore } from "../store.ts";
import { type RedisServer, type RedisServerOptions, startRedisServer } from "../testing/redis-server.ts";
import { startTcpProxy, type TcpProxy } from "../testing/tcp-proxy.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedisServer(options);
  cleanups.push(() => server.stop());
  return server;
}

async function open(url: string): Promise<SandboxStore> {
  const store = await openStore(url, { logger: quietLogger });
  cleanups.push(() => store.close());
  return store;
}

async function through(server: RedisServer): Promise<TcpProxy> {
  const proxy = await startTcpProxy(server.port);
  cleanups.push(() => proxy.close());
  return proxy;
}

async function client(server: RedisServer): Promise<Redis> {
  const redis = new Redis(server.url);
  cleanups.push(async () => redis.disconnect());
  return redis;
}

async function reopened<T>(call: () => Promise<T>): Promise<T> {
  const until = performance.now() + 10_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

describe("opening a Redis store", () => {
  it("is refused where keys may be evicted, with the way to mend it", async () => {
    const server = await start({ args: ["--maxmemory-policy", "allkeys-lru"] });
    await refuses(openStore(server.url, { logger: quietLogger }), "internal", /allkeys-lru.*needs noeviction/);
  });

  it("is refused where nobody answers, within its deadline", async () => {
    const begun = performance.now();
    await refuses(openStore("redis://127.0.0.1:1", { logger: quietLogger }), "unavailable");
    expect(performance.now() - begun).toBeLessThan(8000);
  });

  it("says what an acknowledged write survives", async () => {
    const described = async (options: RedisServerOptions) => (await open((await start(options)).url)).describe();
    expect(await described({})).toMatchObject({ kind: "redis", durability: expect.stringMatching(/appendonly no/) });
    expect((await described({ appendonly: true })).durability).toMatch(/everysec.*1 s/);
    expect((await described({ appendonly: true, appendfsync: "always" })).durability).toMatch(/always.*power loss/);
  });
});

describe("a command whose answer is lost", () => {
  it("is refused as unavailable, has taken effect once, and is known when it is sent again", async () => {
    const server = await start();
    const proxy = await through(server);
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    const record = await runOne(store, await newTeam(store));
    const sent = await metadataEdit(store, record, { a: "1" });
    proxy.mode = "mute";
    const lost = store.editMetadata(sent);
    lost.catch(() => undefined);
    const direct = await open(server.url);
    await expect.poll(async () => (await stored(direct, record)).metadata.value).toEqual(tags({ a: "1" }));
    const committed = await stored(direct, record);
    proxy.mode = "pass";
    proxy.cut();
    await refuses(lost, "unavailable");

    await edit(direct, record, { a: "2" });
    const again = await reopened(() => store.editMetadata(sent));
    expect(again).toMatchObject({ replayed: true, changed: false });
    expect(again.record.metadata.value).toEqual(tags({ a: "2" }));
    expect(committed.metadata.revision).toBeLessThan(again.record.metadata.revision);
  });

  it("is not sent again by the connection itself", async () => {
    const server = await start();
    const proxy = await through(server);
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    const record = await runOne(store, await newTeam(store));
    proxy.mode = "stall";
    const lost = [0, 1, 2].map((n) => edit(store, record, { [`lost${n}`]: "1" }));
    const outcomes = Promise.allSettled(lost);
    await new Promise((resolve) => setTimeout(resolve, 100));
    proxy.mode = "pass";
    const cut = performance.now();
    proxy.cut();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: "unavailable" } });
    expect(performance.now() - cut).toBeLessThan(1000);
    expect((await reopened(() => stored(store, record))).metadata.value).toEqual(new Map());
  });

  it("has a deadline when the server hangs, and works again when it goes on", async () => {
    const server = await start();
    const store = await open(server.url);
    const record = await runOne(store, await newTeam(store));
    server.suspend();
    const begun = performance.now();
    await refuses(store.get(record.teamId, record.sandboxId), "unavailable");
    await refuses(store.locate(record.sandboxId), "unavailable");
    expect(performance.now() - begun).toBeLessThan(10_000);
    // Long enough for new connections to hang as well.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    server.resume();
    expect(await reopened(() => stored(store, record))).toEqual(record);
  });

  it("is refused whole when the server has no memory left, while reading, confirming and ending go on", async () => {
    const server = await start();
    const store = await open(server.url);
    const record = await runOne(store, await newTeam(store));
    const admin = await client(server);
    await admin.config("SET", "maxmemory", "1");
    await refuses(edit(store, record, { a: "1" }), "unavailable");
    expect(await stored(store, record)).toEqual(record);
    await store.confirm([report(record, revisionsOf(record))]);
    await store.transition({ ...keyOf(record), from: ["running"], to: "killing" });
    expect(await store.remove(keyOf(record))).toBe(true);
    await admin.config("SET", "maxmemory", "0");
    expect(await store.get(record.teamId, record.sandboxId)).toBeUndefined();
  });

  it("is refused at once after close, and what is in flight does not hang", async () => {
    const server = await start();
    const store = await open(server.url);
    server.suspend();
    const pending = Array.from({ length: 3 }, () => store.now());
    const outcomes = Promise.allSettled(pending);
    await store.close();
    await store.close();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: "unavailable" } });
    server.resume();
    await refuses(store.now(), "unavailable", /closed/);
    await refuses(store.epoch(), "unavailable");
  });
});

describe("a store that may have forgotten", () => {
  it("is a new epoch after a restart of the server, and refuses what began before", async () => {
    const server = await start({ appendonly: true, appendfsync: "always" });
    const store = await open(server.url);
    const record = await runOne(store, await newTeam(store));
    const begun = await metadataEdit(store, record, { a: "1" });
    const { record: edited } = await edit(store, record, { b: "1" });
    await server.kill();
    await refuses(store.get(record.teamId, record.sandboxId), "unavailable");
    await server.restart();

    const epoch = await reopened(() => store.epoch());
    expect(epoch).toBeGreaterThan(begun.epoch);
    expect(epoch).toBeGreaterThan(edited.metadata.revision);
    await refuses(store.editMetadata(begun), "unavailable");
    await store.confirm([report(edited, revisionsOf(edited))]);
    expect(await stored(store, record)).toEqual(edited);
    await refuses(edit(store, record, { a: "2" }), "unavailable", /waits for the nodes/);
    await verifyOne(store, record);
    const after = await edit(store, record, { a: "2" });
    expect(after.record.metadata.revision).toBeGreaterThanOrEqual(epoch);
    expect(after.record.metadata.value).toEqual(tags({ a: "2", b: "1" }));
  });

  it("is above every revision that this process knows, also when the server's clock or epoch is behind", async () => {
    const server = await start();
    const store = await open(server.url);
    const teamId = await newTeam(store);
    const ahead = await store.raiseEpoch((await store.now()) + 3_600_000_000);
    const record = await runOne(store, teamId);
    expect(record.metadata.revision).toBeGreaterThanOrEqual(ahead);
    // Nothing survives: the server comes back without its epoch.
    await server.kill();
    await server.restart();
    expect(await reopened(() => store.epoch())).toBeGreaterThan(record.metadata.revision);
  });

  it("is the same epoch when only the connection was lost", async () => {
    const server = await start();
    const proxy = await through(server);
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    const epoch = await store.epoch();
    proxy.cut();
    await expect.poll(() => proxy.connections).toBe(2);
    await reopened(() => store.now());
    expect(await store.epoch()).toBe(epoch);
    expect(await (await open(server.url)).epoch()).toBe(epoch);
  });

  it("never says 'not found' of what it lost while it was running, but begins a new epoch", async () => {
    const server = await start();
    const store = await open(server.url);
    const record = await runOne(store, await newTeam(store));
    const epoch = await store.epoch();
    await (await client(server)).flushall();
    await refuses(store.get(record.teamId, record.sandboxId), "unavailable");
    expect(await store.epoch()).toBeGreaterThan(epoch);
    const other = await runOne(store, await newTeam(store));
    await (await client(server)).flushall();
    await refuses(store.transition({ ...keyOf(other), from: ["running"], to: "killing" }), "unavailable");
  });

  it("notices by itself that another process has raised the epoch", async () => {
    const server = await start();
    const [one, two] = [await open(server.url), await open(server.url)];
    const record = await runOne(one, await newTeam(one));
    const raised = await two.raiseEpoch((await two.now()) + 1_000_000);
    // The team's own slot knows the new epoch as soon as anybody has written there in it.
    await verifyOne(two, record);
    await refuses(edit(one, record, { a: "1" }, { epoch: record.epoch }), "unavailable");
    expect(await one.epoch()).toBe(raised);
    const third = await two.raiseEpoch(raised + 1_000_000);
    await expect.poll(() => one.epoch(), { timeout: 5000 }).toBe(third);
  });

  it("goes on after the server has forgotten the scripts", async () => {
    const server = await start();
    const store = await open(server.url);
    const record = await runOne(store, await newTeam(store));
    await (await client(server)).script("FLUSH");
    const operationId = newOperationId();
    expect(await edit(store, record, { a: "1" }, { operationId })).toMatchObject({ changed: true, replayed: false });
    expect(await stored(store, record)).toMatchObject({ state: "running" });
  });

  it("is refused while it is a replica, and used again as a primary", async () => {
    const [server, other] = [await start(), await start()];
    const store = await open(server.url);
    const record = await runOne(store, await newTeam(store));
    const admin = await client(server);
    await admin.replicaof("127.0.0.1", other.port);
    await refuses(edit(store, record, { a: "1" }), "unavailable");
    await refuses(store.now(), "unavailable");
    await admin.replicaof("NO", "ONE");
    expect(await reopened(() => store.epoch())).toBeGreaterThan(0);
  });
});
