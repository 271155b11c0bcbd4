import { Sandbox, TimeoutError } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

describe.runIf(canRunSandboxes)("commands", () => {
  let stack: Stack;
  let sandbox: Sandbox;

  beforeAll(async () => {
    stack = await startStack();
    sandbox = await Sandbox.create("base", { ...connectionOptions(stack), envs: { GREETING: "hello" } });
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  test("a command's output and exit code come back", async () => {
    const result = await sandbox.commands.run("echo out; echo err >&2");
    expect(result).toMatchObject({ exitCode: 0, stdout: "out\n", stderr: "err\n" });
  });

  test("output arrives while the command still runs", async () => {
    const arrivals: { text: string; at: number }[] = [];
    const start = performance.now();
    await sandbox.commands.run("echo first; sleep 1; echo second", {
      onStdout: (text) => {
        arrivals.push({ text, at: performance.now() - start });
      },
    });
    expect(arrivals.map(({ text }) => text).join("")).toBe("first\nsecond\n");
    const [first, second] = arrivals;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(700);
  });

  test("a failing command rejects with its exit code and standard error", async () => {
    await expect(sandbox.commands.run("echo sorry >&2; exit 7")).rejects.toMatchObject({
      exitCode: 7,
      stderr: "sorry\n",
    });
  });

  test("a command runs as user in its home, with sudo at hand", async () => {
    const result = await sandbox.commands.run("whoami; pwd; sudo whoami");
    expect(result.stdout).toBe("user\n/home/user\nroot\n");
  });

  test("another user and directory can be asked for", async () => {
    const result = await sandbox.commands.run("whoami; pwd", { user: "root", cwd: "/tmp" });
    expect(result.stdout).toBe("root\n/tmp\n");
  });

  test("the sandbox's environment reaches commands, and a command's own stays its own", async () => {
    const own = await sandbox.commands.run("echo $GREETING $OWN", { envs: { OWN: "mine" } });
    expect(own.stdout).toBe("hello mine\n");
    const after = await sandbox.commands.run('echo "$GREETING,$OWN"');
    expect(after.stdout).toBe("hello,\n");
  });

  test("the daemon's own settings are not in a command's environment", async () => {
    const result = await sandbox.commands.run("env");
    expect(result.stdout).not.toContain("CASTELLAN");
  });

  test("input can be sent and closed", async () => {
    const command = await sandbox.commands.run("cat", { background: true, stdin: true });
    await sandbox.commands.sendStdin(command.pid, "line one\n");
    await sandbox.commands.sendStdin(command.pid, "line two");
    await command.closeStdin();
    expect(await command.wait()).toMatchObject({ exitCode: 0, stdout: "line one\nline two" });
  });

  test("a command in the background is listed, can be joined and killed", async () => {
    const command = await sandbox.commands.run("echo started; sleep 60", { background: true });
    const listed = await sandbox.commands.list();
    expect(listed.map(({ pid }) => pid)).toContain(command.pid);
    const joined = await sandbox.commands.connect(command.pid);
    expect(joined.pid).toBe(command.pid);
    expect(await sandbox.commands.kill(command.pid)).toBe(true);
    await expect(joined.wait()).rejects.toThrow();
    expect(await sandbox.commands.kill(command.pid)).toBe(false);
  });

  test("a command that outlives its time limit is ended", async () => {
    await expect(sandbox.commands.run("sleep 31.4159", { timeoutMs: 1_000 })).rejects.toThrow(TimeoutError);
    const left = await sandbox.commands.run("ps -eo args | grep -c '[3]1.4159' || true");
    expect(left.stdout.trim()).toBe("0");
  });

  test("a megabyte of output arrives whole and in order", async () => {
    const result = await sandbox.commands.run("seq 1 150000");
    const lines = result.stdout.trimEnd().split("\n");
    expect(lines.length).toBe(150_000);
    expect(lines[99_999]).toBe("100000");
    expect(lines.at(-1)).toBe("150000");
  });

  test("text outside ASCII survives both ways", async () => {
    const text = "Grüße, 世界 😀";
    const result = await sandbox.commands.run(`printf %s '${text}'`);
    expect(result.stdout).toBe(text);
  });

  test("twenty commands at once do not mix", async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => sandbox.commands.run(`sleep 0.1; echo ${index}`)),
    );
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
  });

  test("Python and Node are there", async () => {
    const python = await sandbox.commands.run("python3 -c 'print(6 * 7)'");
    expect(python.stdout).toBe("42\n");
    const node = await sandbox.commands.run("node -p '6 * 7'");
    expect(node.stdout).toBe("42\n");
  });
});
