import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, field, stringField } from "./testing/cluster.ts";
import { PeerNode } from "./testing/peer-node.ts";

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
