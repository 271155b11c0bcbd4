import { setTimeout as sleep } from "node:timers/promises";
import { Sandbox } from "e2b";
import { afterEach, describe, expect, test } from "vitest";
import { metadataState, request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";
import { noTraces, tracesOf } from "../support/traces.ts";
import { until } from "../support/until.ts";

describe.runIf(canRunSandboxes)("an installation that stops and starts", () => {
  let stack: Stack;
  afterEach(async () => {
    await stack?.dispose();
  });

  test("leaves no process, mount, device or rule after Ctrl-C", async () => {
    stack = await startStack({ nodes: 2 });
    const options = connectionOptions(stack);
    const sandboxes = await Promise.all([1, 2, 3].map(() => Sandbox.create("base", options)));
    for (const sandbox of sandboxes) await sandbox.commands.run("sleep 600", { background: true });
    const before = await tracesOf(stack.data);
    expect(before.mounts.length).toBeGreaterThanOrEqual(3);
    expect(before.interfaces.length).toBe(3);
    expect(before.processes.length).toBeGreaterThanOrEqual(9);
    expect(await stack.end("SIGINT")).toBe(0);
    expect(await tracesOf(stack.data)).toEqual(noTraces);
  });

  test("takes over running sandboxes, with their memory and metadata, after everything was killed", async () => {
    stack = await startStack();
    const sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 300_000 });
    await sandbox.commands.run("while sleep 0.2; do echo x >> /tmp/ticks; done", { background: true });
    const edit = await request(stack, "PATCH", `/sandboxes/${sandbox.sandboxId}/metadata`, { body: { kept: "yes" } });
    expect(edit.status).toBe(200);
    await killEverything(stack);

    const { data, port } = stack;
    stack = await startStack({ data, port });
    const again = await Sandbox.connect(sandbox.sandboxId, connectionOptions(stack));
    const ticks = async () => Number((await again.commands.run("wc -l < /tmp/ticks")).stdout);
    const before = await ticks();
    await sleep(1_000);
    expect(await ticks()).toBeGreaterThan(before);
    const state = metadataState(await request(stack, "GET", `/sandboxes/${sandbox.sandboxId}/metadata`));
    expect(state).toEqual(metadataState(edit));
    const next = await request(stack, "PATCH", `/sandboxes/${sandbox.sandboxId}/metadata`, { body: { kept: "still" } });
    expect(next.status).toBe(200);
    expect(await again.kill()).toBe(true);
    await stack.end("SIGINT");
    expect(await tracesOf(data)).toEqual(noTraces);
  });

  test("clears away what a kill left of sandboxes that died meanwhile", async () => {
    stack = await startStack();
    const sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 300_000 });
    await killEverything(stack);
    const processes = (await tracesOf(stack.data)).processes.map((line) => Number(line.split(" ")[0]));
    for (const pid of processes) process.kill(pid, "SIGKILL");
    await until(async () => (await tracesOf(stack.data)).processes.length === 0);
    expect((await tracesOf(stack.data)).mounts).not.toEqual([]);

    const { data, port } = stack;
    stack = await startStack({ data, port });
    const gone = async () => {
      const { status } = await request(stack, "GET", `/sandboxes/${sandbox.sandboxId}`);
      return status === 404;
    };
    await until(gone);
    expect((await tracesOf(data)).mounts).toEqual([]);
    await stack.end("SIGINT");
    expect(await tracesOf(data)).toEqual(noTraces);
  });

  test("leaves sandboxes running with --keep, for the next start", async () => {
    stack = await startStack({ args: ["--keep"] });
    const sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 300_000 });
    await sandbox.files.write("kept.txt", "here");
    expect(await stack.end("SIGINT")).toBe(0);
    const { data, port, apiKey } = stack;
    stack = await startStack({ data, port });
    expect(stack.apiKey).toBe(apiKey);
    const again = await Sandbox.connect(sandbox.sandboxId, connectionOptions(stack));
    expect(await again.files.read("kept.txt")).toBe("here");
  });

  test("ends its nodes too when the control plane alone is killed, and a second one is refused", async () => {
    stack = await startStack();
    await expect(startStack({ data: stack.data })).rejects.toThrow(/already|in use|running/i);
    stack.process.kill("SIGKILL");
    await stack.end();
    await until(async () => (await tracesOf(stack.data)).processes.length === 0, 60_000);
  });
});

/** The control plane and its nodes at once, as a machine that runs out of memory might; sandboxes stay. */
async function killEverything(stack: Stack): Promise<void> {
  const before = (await tracesOf(stack.data)).processes;
  const services = before.filter((line) => line.includes("--conditions=source") && !line.includes("/.castellan/"));
  expect(services.length).toBeGreaterThanOrEqual(2);
  for (const line of services) process.kill(Number(line.split(" ")[0]), "SIGKILL");
  await stack.end();
}
