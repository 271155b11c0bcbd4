import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { metadataState, request } from "../support/rest.ts";
import { canRunSandboxes } from "../support/stack.ts";
import { until } from "../support/until.ts";

/** The third of the races that ended the attempt upstream. */
describe.runIf(canRunSandboxes)("two edits at once", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster?.dispose();
  });

  test("end with the newer on the node when their pushes arrive swapped", async () => {
    const created = await request(cluster, "POST", "/sandboxes", { body: { templateID: "base", timeout: 120 } });
    expect(created.status).toBe(201);
    const { sandboxID } = Object.assign({ sandboxID: "" }, created.body);
    await request(cluster, "PATCH", `/sandboxes/${sandboxID}/metadata`, { body: { warm: "up" } });

    cluster.relay.hold();
    const first = request(cluster, "PATCH", `/sandboxes/${sandboxID}/metadata`, { body: { a: "1", both: "first" } });
    await until(() => cluster.relay.held === 1);
    const second = request(cluster, "PATCH", `/sandboxes/${sandboxID}/metadata`, { body: { b: "2", both: "second" } });
    await until(() => cluster.relay.held === 2);
    await cluster.relay.release((updates) => updates.toReversed());

    const answers = await Promise.all([first, second]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const [one, two] = answers.map(metadataState);
    expect(two?.metadata).toEqual({ warm: "up", a: "1", b: "2", both: "second" });
    expect(one?.revision).toBeLessThan(two?.revision ?? 0);

    const list = await cluster.listOnNode();
    const held = list.sandboxes.find(({ sandboxId }) => sandboxId === sandboxID);
    expect(held?.manifest?.metadata?.entries).toEqual(two?.metadata);
    expect(Number(held?.applied?.metadata)).toBe(two?.revision);
  });
});
