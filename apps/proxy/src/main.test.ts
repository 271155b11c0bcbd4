import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStore } from "@castellan/store";
import { startRedisServer } from "@castellan/store/testing";
import { createLogger } from "@castellan/telemetry";
import { expect, test } from "vitest";
import { TestGateway } from "./testing/gateway.ts";
import { atEnd, executionId, sandboxId, serve, to, until } from "./testing/rig.ts";
import { putRunning } from "./testing/stored.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Starts the process; what it says on standard error is collected. */
function start(env: Record<string, string>) {
  const child = spawn(process.execPath, ["--conditions=source", main], { env: { PATH: process.env["PATH"], ...env } });
  atEnd(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  return { child, said: () => said, exited: once(child, "exit") };
}

test("an edge of its own serves sandboxes that Redis knows, and ends when it is told to", async () => {
  const redis = await startRedisServer();
  atEnd(() => redis.stop());
  const directory = await mkdtemp(join(tmpdir(), "castellan-proxy-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, "cluster-token"), "the-token\n", { mode: 0o600 });
  const gateway = await TestGateway.start("the-token");
  atEnd(() => gateway.close());
  gateway.run(sandboxId, executionId, { 80: await serve((request, response) => response.end(request.url)) });
  const store = await openStore(redis.url, { logger: createLogger("edge-test", "silent") });
  atEnd(() => store.close());
  await putRunning(store, gateway.address);

  const { child, said, exited } = start({ REDIS_URL: redis.url, CASTELLAN_DATA: directory, CASTELLAN_PROXY_PORT: "0" });
  await until("a line that names the port", () => /"port":\d+/.test(said()) || child.exitCode !== null, 20_000);
  const port = /"port":(\d+)/.exec(said())?.[1];
  const answer = await fetch(`http://127.0.0.1:${port}/here`, { headers: to(80) });
  expect(await answer.text()).toBe("/here");
  expect((await fetch(`http://127.0.0.1:${port}/sandboxes`)).status).toBe(404);
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(said()).not.toContain("the-token");
});

test.each([
  ["a store", {}, "REDIS_URL must be"],
  ["a token", { REDIS_URL: "redis://127.0.0.1:1", CASTELLAN_DATA: "/nonexistent" }, "CASTELLAN_TOKEN_FILE"],
  [
    "a port that can be",
    { REDIS_URL: "redis://127.0.0.1:1", CASTELLAN_PROXY_PORT: "x" },
    "CASTELLAN_PROXY_PORT must be",
  ],
])("without %s it says what is missing and ends", async (_, env, message) => {
  const { said, exited } = start(env);
  expect(await exited).toEqual([1, null]);
  expect(said()).toContain(message);
});
