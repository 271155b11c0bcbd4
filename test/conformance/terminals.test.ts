import { Sandbox } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

describe.runIf(canRunSandboxes)("terminals", () => {
  let stack: Stack;
  let sandbox: Sandbox;

  beforeAll(async () => {
    stack = await startStack();
    sandbox = await Sandbox.create("base", connectionOptions(stack));
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  /** What is on a terminal's screen, gathered. */
  function screen() {
    const decoder = new TextDecoder();
    let text = "";
    return {
      onData: (data: Uint8Array) => {
        text += decoder.decode(data, { stream: true });
      },
      text: () => text,
    };
  }
  const type = (pid: number, text: string) => sandbox.pty.sendInput(pid, new TextEncoder().encode(text));

  test("a shell answers what is typed, in the size asked for and after a change of it", async () => {
    const shown = screen();
    const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData: shown.onData, envs: { ANSWER: "42" } });
    await type(terminal.pid, "echo size-$(tput cols)x$(tput lines)-$ANSWER\n");
    await expect.poll(shown.text, { timeout: 10_000 }).toContain("size-80x24-42");
    await sandbox.pty.resize(terminal.pid, { cols: 100, rows: 30 });
    await type(terminal.pid, "echo size-$(tput cols)x$(tput lines)\n");
    await expect.poll(shown.text, { timeout: 10_000 }).toContain("size-100x30");
    await type(terminal.pid, "exit 0\n");
    expect((await terminal.wait()).exitCode).toBe(0);
  });

  test("Ctrl-C ends what runs in front, and the shell goes on", async () => {
    const shown = screen();
    const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData: shown.onData });
    await type(terminal.pid, "echo begin-$((1 + 1)); sleep 1000\n");
    await expect.poll(shown.text, { timeout: 10_000 }).toContain("begin-2");
    await type(terminal.pid, "\u0003");
    await type(terminal.pid, "echo still-$((40 + 2))\n");
    await expect.poll(shown.text, { timeout: 10_000 }).toContain("still-42");
    expect(await sandbox.pty.kill(terminal.pid)).toBe(true);
    expect(await sandbox.pty.kill(999_999)).toBe(false);
  });

  test("a terminal that was left is come back to", async () => {
    const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData: () => {} });
    await terminal.disconnect();
    const shown = screen();
    const again = await sandbox.pty.connect(terminal.pid, { onData: shown.onData });
    await type(again.pid, "echo back-$((20 + 1)); exit\n");
    await again.wait();
    expect(shown.text()).toContain("back-21");
  });
});
