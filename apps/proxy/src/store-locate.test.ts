import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type SandboxStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { expect, test } from "vitest";
import { locateInStore } from "./store-locate.ts";
import { atEnd, executionId, sandboxId } from "./testing/rig.ts";
import { putNode, putRunning, takeTo } from "./testing/stored.ts";

async function openTestStore(): Promise<SandboxStore> {
  const directory = await mkdtemp(join(tmpdir(), "castellan-proxy-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const store = await openStore(join(directory, "store.db"), { logger: createLogger("edge-test", "silent") });
  atEnd(() => store.close());
  return store;
}

test("a running sandbox is found at its node's gateway, a paused one without one, a killed one not at all", async () => {
  const store = await openTestStore();
  const locate = locateInStore(store);
  expect(await locate(sandboxId)).toBeUndefined();
  await putRunning(store, "127.0.0.1:4000");
  const running = { sandboxId, executionId, state: "running", gatewayAddress: "127.0.0.1:4000", publicTraffic: true };
  expect(await locate(sandboxId)).toEqual(running);
  await takeTo(store, "pausing");
  await takeTo(store, "paused");
  expect(await locate(sandboxId)).toMatchObject({ state: "paused" });
  await takeTo(store, "killing");
  expect(await locate(sandboxId)).toBeUndefined();
});

test("a sandbox with a traffic token takes no public traffic", async () => {
  const store = await openTestStore();
  await putRunning(store, "127.0.0.1:4000", { trafficAccessToken: "secret" });
  expect(await locateInStore(store)(sandboxId)).toMatchObject({ publicTraffic: false, trafficAccessToken: "secret" });
});

test("a node that has moved is found when a fresh answer is wanted", async () => {
  const store = await openTestStore();
  await putRunning(store, "127.0.0.1:4000");
  const locate = locateInStore(store);
  expect(await locate(sandboxId)).toMatchObject({ gatewayAddress: "127.0.0.1:4000" });
  await putNode(store, "127.0.0.1:5000");
  expect(await locate(sandboxId)).toMatchObject({ gatewayAddress: "127.0.0.1:4000" });
  expect(await locate(sandboxId, { fresh: true })).toMatchObject({ gatewayAddress: "127.0.0.1:5000" });
});

test("a sandbox on a node that was forgotten is unknown, not gone", async () => {
  const store = await openTestStore();
  await putRunning(store, "127.0.0.1:4000");
  await store.forgetNode("node");
  await expect(locateInStore(store)(sandboxId)).rejects.toMatchObject({ code: "unavailable" });
});
