import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AuthenticationError, NotFoundError, Sandbox, TimeoutError } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

describe.runIf(canRunSandboxes)("a sandbox's life", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ store: "redis" });
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  test("a sandbox is created, described, found by its tags and killed", async () => {
    const options = connectionOptions(stack);
    const metadata = { run: randomUUID(), "odd key & = %": "value / ? ü" };
    const sandbox = await Sandbox.create("base", { ...options, metadata, timeoutMs: 60_000 });
    try {
      expect(sandbox.sandboxId).toMatch(/^i[a-z0-9]{20}$/);
      expect(await sandbox.isRunning()).toBe(true);
      const info = await sandbox.getInfo();
      expect(info).toMatchObject({ sandboxId: sandbox.sandboxId, metadata, state: "running" });
      expect(info.endAt.getTime() - info.startedAt.getTime()).toBeGreaterThan(55_000);
      const found = await Sandbox.list({ ...options, query: { metadata } }).nextItems();
      expect(found.map(({ sandboxId }) => sandboxId)).toEqual([sandbox.sandboxId]);
      const others = await Sandbox.list({ ...options, query: { metadata: { run: "another" } } }).nextItems();
      expect(others).toEqual([]);
    } finally {
      expect(await sandbox.kill()).toBe(true);
    }
    expect(await sandbox.isRunning()).toBe(false);
    expect(await Sandbox.kill(sandbox.sandboxId, options)).toBe(false);
    await expect(Sandbox.getInfo(sandbox.sandboxId, options)).rejects.toThrow(NotFoundError);
  });

  test("lists go page by page, newest first, and end", async () => {
    const options = connectionOptions(stack);
    const metadata = { page: randomUUID() };
    const sandboxes = [];
    try {
      for (let count = 0; count < 5; count += 1) {
        sandboxes.push(await Sandbox.create("base", { ...options, metadata }));
      }
      const paginator = Sandbox.list({ ...options, query: { metadata }, limit: 2 });
      const seen: string[] = [];
      let pages = 0;
      while (paginator.hasNext) {
        pages += 1;
        seen.push(...(await paginator.nextItems()).map(({ sandboxId }) => sandboxId));
      }
      expect(seen).toEqual(sandboxes.map(({ sandboxId }) => sandboxId).reverse());
      expect(pages).toBe(3);
    } finally {
      await Promise.all(sandboxes.map((sandbox) => sandbox.kill()));
    }
  });

  test("a sandbox ends when its time is up", async () => {
    const sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 2_000 });
    await sleep(4_000);
    expect(await sandbox.isRunning()).toBe(false);
  });

  test("a shortened life can be lengthened again in time", async () => {
    const sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 60_000 });
    try {
      await sandbox.setTimeout(2_000);
      await sandbox.setTimeout(30_000);
      await sleep(4_000);
      expect(await sandbox.isRunning()).toBe(true);
    } finally {
      await sandbox.kill();
    }
  });

  test("another client joins a running sandbox by its id", async () => {
    const options = connectionOptions(stack);
    const sandbox = await Sandbox.create("base", options);
    try {
      await sandbox.files.write("shared.txt", "from the first");
      const joined = await Sandbox.connect(sandbox.sandboxId, options);
      expect(await joined.files.read("shared.txt")).toBe("from the first");
    } finally {
      await sandbox.kill();
    }
    await expect(Sandbox.connect(sandbox.sandboxId, options)).rejects.toThrow(NotFoundError);
  });

  test("a server in the sandbox answers on its port, wherever it is bound", async () => {
    const sandbox = await Sandbox.create("base", connectionOptions(stack));
    try {
      await sandbox.commands.run("mkdir -p /tmp/www && echo hi > /tmp/www/index.html");
      await sandbox.commands.run("python3 -m http.server 8000 --bind 127.0.0.1 -d /tmp/www", { background: true });
      const url = `${stack.sandboxUrl}/index.html`;
      const headers = { "E2b-Sandbox-Id": sandbox.sandboxId, "E2b-Sandbox-Port": "8000" };
      const answer = await eventually(
        () => fetch(url, { headers }),
        (response) => response.status === 200,
      );
      expect(await answer.text()).toBe("hi\n");
      const closed = await fetch(url, { headers: { ...headers, "E2b-Sandbox-Port": "8001" } });
      expect(closed.status).toBe(502);
      expect(await closed.json()).toEqual({
        sandboxId: sandbox.sandboxId,
        message: "The sandbox is running but port is not open",
        port: 8001,
        code: 502,
      });
    } finally {
      await sandbox.kill();
    }
  });

  test("killing a sandbox ends its running command with a clear error", async () => {
    const sandbox = await Sandbox.create("base", connectionOptions(stack));
    const command = await sandbox.commands.run("sleep 60", { background: true });
    await sandbox.kill();
    const error = await command.wait().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(String(error)).toContain("sandbox was killed or reached its end of life");
  });

  test("an unknown template and a wrong key are clear errors", async () => {
    const options = connectionOptions(stack);
    await expect(Sandbox.create("no-such-template", options)).rejects.toThrow(/no-such-template/);
    await expect(Sandbox.create("base", { ...options, apiKey: `e2b_${"0".repeat(40)}` })).rejects.toThrow(
      AuthenticationError,
    );
  });
});

async function eventually<T>(attempt: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (let left = 50; ; left -= 1) {
    const value = await attempt();
    if (good(value) || left === 0) return value;
    await sleep(100);
  }
}
