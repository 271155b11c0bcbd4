import { randomUUID } from "node:crypto";
import { e2b } from "@computesdk/e2b";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

/** An adapter that others wrote for E2B and that knows nothing of Castellan: three variables point it here. */
describe.runIf(canRunSandboxes)("the E2B provider of ComputeSDK", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
    vi.stubEnv("E2B_API_KEY", stack.apiKey);
    vi.stubEnv("E2B_API_URL", stack.apiUrl);
    vi.stubEnv("E2B_SANDBOX_URL", stack.sandboxUrl);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await stack?.dispose();
  });

  test("creates a sandbox, runs commands, handles files, serves a port and ends it", async () => {
    const provider = e2b({});
    const sandbox = await provider.sandbox.create({ metadata: { run: randomUUID() }, envs: { GREETING: "hello" } });
    try {
      expect(await sandbox.runCommand('echo "$GREETING"; echo oops >&2; exit 3')).toMatchObject({
        stdout: "hello\n",
        stderr: "oops\n",
        exitCode: 3,
      });
      expect((await sandbox.runCommand("pwd", { cwd: "/tmp" })).stdout).toBe("/tmp\n");

      await sandbox.filesystem.mkdir("/home/user/work");
      await sandbox.filesystem.writeFile("/home/user/work/note.txt", "kept");
      expect(await sandbox.filesystem.readFile("/home/user/work/note.txt")).toBe("kept");
      const [entry] = await sandbox.filesystem.readdir("/home/user/work");
      expect(entry).toMatchObject({ name: "note.txt", type: "file", size: 4 });
      await sandbox.filesystem.remove("/home/user/work/note.txt");
      expect(await sandbox.filesystem.exists("/home/user/work/note.txt")).toBe(false);

      await sandbox.runCommand("python3 -m http.server 8000", { background: true });
      const url = new URL(await sandbox.getUrl({ port: 8000, protocol: "http" }));
      // Browsers and curl resolve `*.localhost` themselves, Node leaves it to the system.
      const headers = { "E2b-Sandbox-Id": sandbox.sandboxId, "E2b-Sandbox-Port": "8000" };
      expect(url.hostname).toBe(`8000-${sandbox.sandboxId}.localhost`);
      await vi.waitFor(async () => expect((await fetch(stack.sandboxUrl, { headers })).status).toBe(200), 20_000);

      expect((await provider.sandbox.list()).map(({ sandboxId }) => sandboxId)).toEqual([sandbox.sandboxId]);
      expect((await provider.sandbox.getById(sandbox.sandboxId))?.sandboxId).toBe(sandbox.sandboxId);
    } finally {
      await sandbox.destroy();
    }
    expect(await provider.sandbox.list()).toEqual([]);
  });
});
