import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Cluster,
  errorBody,
  eventually,
  field,
  gate,
  numberField,
  startCluster,
  stringField,
} from "./testing/cluster.ts";

const everywhere = "0.0.0.0/0";

describe("what a running sandbox may reach", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const put = (id: string, body: unknown) => cluster.call("PUT", `/sandboxes/${id}/network`, { body });
  const detail = async (id: string) => (await cluster.call("GET", `/sandboxes/${id}`)).body;
  const network = async (id: string) => field(await detail(id), "network");
  const held = (id: string) => cluster.node.sandboxes.get(id)?.applied.egress;

  test("is replaced as a whole, on the node when the answer comes, and shown", async () => {
    const id = await cluster.create({ network: { denyOut: ["8.8.8.8"] } });
    expect((await put(id, { allowOut: ["1.1.1.1"], denyOut: [everywhere] })).status).toBe(204);
    const record = await cluster.store.get("team1", id);
    expect(held(id)).toBe(BigInt(record?.egress.revision ?? -1));
    expect(await network(id)).toEqual({ allowPublicTraffic: true, allowOut: ["1.1.1.1"], denyOut: [everywhere] });
    expect((await put(id, { denyOut: ["9.9.9.9"] })).status).toBe(204);
    expect(await network(id)).toEqual({ allowPublicTraffic: true, allowOut: [], denyOut: ["9.9.9.9"] });
    expect((await put(id, {})).status).toBe(204);
    expect(await network(id)).toBeUndefined();
  });

  test("can be closed and opened with one word, whatever the sandbox was created with", async () => {
    const id = await cluster.create({ allow_internet_access: false });
    const rules = async () => (await cluster.store.get("team1", id))?.egress.value.denyOut;
    expect(field(await detail(id), "allowInternetAccess")).toBe(false);
    expect((await put(id, { allow_internet_access: true })).status).toBe(204);
    expect([field(await detail(id), "allowInternetAccess"), await rules()]).toEqual([true, []]);
    expect((await put(id, { allow_internet_access: false, denyOut: ["8.8.8.8"] })).status).toBe(204);
    expect([field(await detail(id), "allowInternetAccess"), await rules()]).toEqual([false, ["8.8.8.8", everywhere]]);
    expect(await network(id)).toMatchObject({ denyOut: ["8.8.8.8"] });
    expect((await put(id, {})).status).toBe(204);
    expect([field(await detail(id), "allowInternetAccess"), await rules()]).toEqual([undefined, []]);
  });

  test("is answered with 202 while its node does not confirm, and reaches the node in the end", async () => {
    const id = await cluster.create();
    const before = Number(held(id));
    const applying = gate();
    cluster.node.hooks.update = (update) => (update.egress === undefined ? undefined : applying.opened);
    const answer = await put(id, { denyOut: [everywhere] });
    expect(answer.status).toBe(202);
    expect(numberField(answer.body, "appliedRevision")).toBe(before);
    expect(numberField(answer.body, "revision")).toBeGreaterThan(before);
    expect(await network(id)).toMatchObject({ denyOut: [everywhere] });
    // Rules that are not applied yet hold no other edit back.
    expect((await cluster.patch(id, { a: "1" })).status).toBe(200);
    delete cluster.node.hooks.update;
    applying.open();
    await eventually(() => expect(held(id)).toBe(BigInt(numberField(answer.body, "revision"))));
  });

  test("is answered with 202 while its node is gone, and is in force when it is back", async () => {
    const id = await cluster.create();
    await cluster.node.down();
    const answer = await put(id, { denyOut: [everywhere] });
    expect(answer.status).toBe(202);
    await cluster.node.up();
    await eventually(() => expect(held(id)).toBe(BigInt(numberField(answer.body, "revision"))));
    expect((await put(id, { denyOut: [everywhere] })).status).toBe(204);
  });

  test.each([
    [{ denyOut: ["example.com"] }, /denyOut takes IP addresses and CIDR blocks/],
    [{ allowOut: ["example.com"] }, /need denyOut to hold 0\.0\.0\.0\/0/],
    [{ allowOut: ["exa mple.com"], denyOut: [everywhere] }, /names like example\.com/],
    [{ rules: { "example.com": [{ transform: {} }] } }, "rules is not supported yet"],
    [{ egressProxy: { address: "socks5://10.0.0.1:1080" } }, "egressProxy is not supported yet"],
    [{ allowOut: new Array(257).fill("1.1.1.1") }, /allowOut/],
    [{ denyOut: "8.8.8.8" }, /denyOut/],
    [{ allow_internet_access: "no" }, /allow_internet_access/],
    [[], /object/],
  ])("is not changed by %j", async (body, message) => {
    const id = await cluster.create();
    const { egress } = (await cluster.store.get("team1", id)) ?? {};
    const answer = await put(id, body);
    expect(answer.status).toBe(400);
    expect(stringField(answer.body, "message")).toMatch(message);
    expect((await cluster.store.get("team1", id))?.egress).toEqual(egress);
  });

  test("may be names where everything else is denied, and the node is told them in lower case", async () => {
    const id = await cluster.create({ network: { allowOut: ["a.com"], denyOut: [everywhere] } });
    expect((await put(id, { allowOut: ["*.Example.com", "1.1.1.1"], allow_internet_access: false })).status).toBe(204);
    expect(await network(id)).toMatchObject({ allowOut: ["*.example.com", "1.1.1.1"] });
  });

  test("takes an empty set of rules and no proxy, which is what there is", async () => {
    expect((await put(await cluster.create(), { rules: {}, egressProxy: null })).status).toBe(204);
  });

  test("is that of a running sandbox of one's own: 404 for others, 409 for a paused one", async () => {
    const id = await cluster.create();
    const missing = errorBody(404, `Sandbox "gone" doesn't exist or you don't have access to it`);
    expect((await put("gone", {})).body).toEqual(missing);
    const key = await cluster.addTeam("team2");
    expect((await cluster.call("PUT", `/sandboxes/${id}/network`, { body: {}, key })).status).toBe(404);
    expect((await cluster.call("PUT", `/sandboxes/${id}/network`, { body: {}, key: null })).status).toBe(401);
    const record = await cluster.store.get("team1", id);
    const change = { teamId: "team1", sandboxId: id, executionId: record?.executionId ?? "" };
    await cluster.store.transition({ ...change, from: ["running"], to: "pausing" });
    await cluster.store.transition({ ...change, from: ["pausing"], to: "paused" });
    expect((await put(id, {})).body).toEqual(errorBody(409, `Sandbox "${id}" is paused`));
  });
});
