import { Sandbox } from "e2b";
import { afterEach, describe, expect, test } from "vitest";
import { request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const mib = 1024 * 1024;

describe.runIf(canRunSandboxes)("what a sandbox uses and says", () => {
  let stack: Stack;
  afterEach(async () => {
    await stack?.dispose();
  });

  test.each(["sqlite", "redis"] as const)("is measured within seconds, truly, and by time (%s)", async (store) => {
    stack = await startStack({ store });
    const options = connectionOptions(stack);
    const created = Date.now();
    const sandbox = await Sandbox.create("base", options);
    await until(async () => (await sandbox.getMetrics()).length > 0, 10_000);
    const [before] = await Sandbox.getMetrics(sandbox.sandboxId, options);
    const info = await sandbox.getInfo();
    expect(before).toMatchObject({ cpuCount: info.cpuCount, memTotal: info.memoryMB * mib });
    expect(before?.timestamp.getTime()).toBeGreaterThanOrEqual(created - 1_000);
    expect(before?.diskTotal).toBeGreaterThan(1_000 * mib);

    // 200 MiB of memory, 100 MiB of disk and one busy processor, for long enough to be seen.
    const hog = await sandbox.commands.run(
      "head -c 100M /dev/urandom > fill && python3 -c 'import time; a = bytearray(200 << 20); e = time.time() + 16\nwhile time.time() < e: pass'",
      { background: true },
    );
    await until(async () => {
      const last = (await sandbox.getMetrics()).at(-1);
      return (
        last !== undefined &&
        before !== undefined &&
        last.memUsed - before.memUsed > 180 * mib &&
        last.diskUsed - before.diskUsed > 95 * mib &&
        last.cpuUsedPct > 100 / last.cpuCount / 4 &&
        last.cpuUsedPct <= 100
      );
    }, 25_000);
    await hog.kill();
    const hourAgo = { start: new Date(created - 3_600_000), end: new Date(created - 1_800_000) };
    expect(await sandbox.getMetrics(hourAgo)).toEqual([]);
    await sandbox.kill();
    await expect(sandbox.getMetrics()).rejects.toMatchObject({ name: "SandboxNotFoundError" });
  });

  test("is written down, without what is secret, and outlives the node's process and the sandbox", async () => {
    stack = await startStack();
    const options = connectionOptions(stack);
    const sandbox = await Sandbox.create("base", { ...options, envs: { HIDDEN: "in-variables" } });
    const ran = await sandbox.commands.run("echo in-arguments; exit 7").catch((error: unknown) => error);
    expect(String(ran)).toContain("7");
    const logs = async () => await request(stack, "GET", `/sandboxes/${sandbox.sandboxId}/logs`);
    const said = JSON.stringify((await logs()).body);
    expect(said).toContain("Sandbox started");
    expect(said).toContain("exit status 7");
    for (const secret of ["in-variables", "in-arguments", "HIDDEN", stack.apiKey]) expect(said).not.toContain(secret);

    // As a service manager does it: the sandbox goes on.
    await stack.end("SIGTERM");
    const { data, port } = stack;
    stack = await startStack({ data, port });
    await sandbox.commands.run("true");
    const later = JSON.stringify((await logs()).body);
    expect(later).toContain("exit status 7");
    expect(later).toContain("the sandbox went on");
    expect(later).toContain("exit status 0");
    expect(await sandbox.kill()).toBe(true);
    const after = await logs();
    expect([after.status, JSON.stringify(after.body)]).toEqual([200, expect.stringContaining("Sandbox ended")]);
  });
});
