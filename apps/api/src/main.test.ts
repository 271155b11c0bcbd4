import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { clusterName, openStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, field, stringField } from "./testing/cluster.ts";
import { PeerNode } from "./testing/peer-node.ts";
import { Receiver } from "./testing/receiver.ts";

const token = "a-token-of-sixteen-or-more";

describe("a control plane in a process of its own", () => {
  let data: string;
  let child: ChildProcess | undefined;
  let lines: string[];

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "castellan-api-main-"));
    lines = [];
  });
  afterEach(async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(data, { recursive: true, force: true });
  });

  function start(env: Readonly<Record<string, string>>): ChildProcess {
    const main = fileURLToPath(new URL("main.ts", import.meta.url));
    const flags = ["--conditions=source", "--disable-warning=ExperimentalWarning"];
    const started = spawn(process.execPath, [...flags, main], {
      env: {
        PATH: process.env["PATH"],
        CASTELLAN_DATA: data,
        CASTELLAN_PORT: "0",
        CASTELLAN_REGISTRY_PORT: "0",
        ...env,
      },
      stdio: ["ignore", "inherit", "pipe"],
    });
    child = started;
    createInterface({ input: started.stderr }).on("line", (line) => lines.push(line));
    return started;
  }

  test("delivers to a webhook after its process was killed between two attempts", async () => {
    await writeFile(join(data, "cluster-token"), `${token}\n`);
    await using receiver = await Receiver.start();
    receiver.answer = (response, { headers }) =>
      response.writeHead(headers["castellan-attempt"] === "1" ? 500 : 200).end();
    const eventId = await webhookWithEvent(join(data, "castellan.db"), receiver.url);
    const env = { CASTELLAN_WEBHOOK_ALLOW: "127.0.0.0/8" };
    const first = start(env);
    await eventually(() => expect(receiver.deliveries).toHaveLength(1), 20_000);
    // The attempt is noted, and the next one is a second away at least.
    await new Promise((resolve) => setTimeout(resolve, 400));
    first.kill("SIGKILL");
    await once(first, "exit");
    expect(receiver.deliveries).toHaveLength(1);
    start(env);
    await eventually(() => expect(receiver.deliveries).toHaveLength(2), 20_000);
    expect(receiver.deliveries[1]?.headers).toMatchObject({
      "castellan-event-id": String(eventId),
      "castellan-attempt": "2",
    });
    expect(lines.join("\n")).not.toContain("a-secret-of-the-webhook");
  }, 60_000);

  test("serves API and registry on loopback, lets nodes in, and ends on SIGTERM", async () => {
    await writeFile(join(data, "cluster-token"), `${token}\n`);
    const started = start({});
    await eventually(() => expect(lines.some((line) => line.includes("control plane is up"))).toBe(true), 20_000);
    const up: unknown = JSON.parse(lines.find((line) => line.includes("control plane is up")) ?? "");
    expect(stringField(up, "api")).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const node = new PeerNode("node1", token);
    await node.up();
    try {
      expect((await node.register(stringField(up, "registry"))).leaseMs).toBeGreaterThan(0);
    } finally {
      await node.down();
    }
    const health = await fetch(`${stringField(up, "api")}/health`);
    expect(field(await health.json(), "status")).toBe("ok");
    started.kill("SIGTERM");
    expect(await once(started, "exit")).toEqual([0, null]);
    expect(lines.join("\n")).not.toContain(token);
  });

  test.each([
    [{}, /token cannot be read/],
    [{ CASTELLAN_PORT: "http" }, /CASTELLAN_PORT must be a whole number/],
    [{ REDIS_URL: "http://x" }, /REDIS_URL must be/],
  ])("says in one line what is wrong with %j, and ends with 1", async (env, message) => {
    const started = start(env);
    expect(await once(started, "exit")).toEqual([1, null]);
    await eventually(() => expect(lines.at(-1)).toMatch(message));
  });
});

/** A team with a webhook, and something that it is to be told of. Answers the event's id. */
async function webhookWithEvent(path: string, url: string): Promise<number> {
  const store = await openStore(path, { logger: createLogger("test", "silent"), cluster: clusterName(token) });
  try {
    const teamId = "team1";
    await store.putTeam({ teamId, name: teamId, maxConcurrentSandboxes: 1 });
    await store.addWebhook({
      teamId,
      webhookId: "hook1",
      name: "hook",
      url,
      enabled: true,
      types: ["created"],
      signatureSecret: "a-secret-of-the-webhook",
    });
    const key = { teamId, sandboxId: "i1", executionId: "e1" };
    await store.create(
      {
        ...key,
        apiKeyId: "key1",
        nodeId: "node1",
        templateId: "base",
        resources: { cpuCount: 1, memoryMb: 1, diskMb: 1 },
        lifecycle: { autoPause: false, autoPauseMemory: true, autoResume: false },
        envdVersion: "0.6.13",
        envVars: {},
        metadata: new Map(),
        lifetimeMs: 600_000,
        egress: { allowOut: [], denyOut: [] },
        deadlineMs: 600_000,
        epoch: await store.epoch(),
      },
      1,
    );
    await store.transition({ ...key, from: ["creating"], to: "running" });
    return (await store.listEvents(teamId, { order: "desc", limit: 1 })).events[0]?.id ?? 0;
  } finally {
    await store.close();
  }
}
