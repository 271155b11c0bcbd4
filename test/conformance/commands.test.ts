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

  test("a command that uses up the memory ends alone, and is told why", async () => {
    const hungry = "exec python3 -c 'hoard = []\nwhile True: hoard.append(b\"x\" * 10**7)'";
    await expect(sandbox.commands.run(hungry)).rejects.toMatchObject({
      exitCode: -1,
      error: "signal: killed (the sandbox ran out of memory)",
    });
    expect((await sandbox.commands.run("echo alive")).stdout).toBe("alive\n");
  });

  test("a full table of processes is told as such, and files are served on", async () => {
    const own = await Sandbox.create("base", connectionOptions(stack));
    // Takes every place again that becomes free.
    const fill = `import subprocess, time
while True:
    try: subprocess.Popen(["sleep", "300"])
    except OSError: time.sleep(0.02)`;
    await own.commands.run(`python3 -c '${fill}'`, { background: true });
    const attempt = () =>
      own.commands.run("true").then(
        () => "it ran",
        (error: unknown) => String(error),
      );
    await expect.poll(attempt, { timeout: 60_000 }).toContain("the sandbox has reached its limit of processes");
    await own.files.write("note.txt", "still here");
    expect(await own.files.read("note.txt")).toBe("still here");
    expect((await own.files.list(".")).map(({ name }) => name)).toContain("note.txt");
    await own.kill();
  });

  test("orphans are taken care of when they end", async () => {
    await sandbox.commands.run("(setsid sleep 0.2 > /dev/null 2>&1 &); (setsid sleep 0.3 > /dev/null 2>&1 &)");
    const { stdout } = await sandbox.commands.run("sleep 1; ps -eo stat= | grep -c Z || true");
    expect(stdout).toBe("0\n");
  });

  test("what root inside can find out does not open the daemon's control routes", async () => {
    const { stdout } = await sandbox.commands.run("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'", {
      user: "root",
    });
    const secrets = [...stdout.matchAll(/CASTELLAN_\w*SHA256=(\w+)/g)].map(([, hash]) => hash ?? "");
    expect(secrets.length).toBeGreaterThan(0);
    for (const secret of ["", ...secrets]) {
      const { stdout: statuses } = await sandbox.commands.run(
        `for route in "POST init" "GET logs"; do set -- $route
         curl -s -o /dev/null -w '%{http_code} ' -X $1 -H 'Authorization: Bearer ${secret}' http://127.0.0.1:49983/$2; done`,
        { user: "root" },
      );
      expect(statuses).toBe("401 401 ");
    }
  });

  test("git works through the client", async () => {
    await sandbox.git.init("repo", { initialBranch: "main" });
    await sandbox.files.write("repo/README.md", "# hello");
    await sandbox.git.add("repo");
    await sandbox.git.commit("repo", "Begin", { authorName: "Ada", authorEmail: "ada@example.com" });
    expect((await sandbox.git.branches("repo")).currentBranch).toBe("main");
    await sandbox.files.write("repo/new.txt", "x");
    const status = await sandbox.git.status("repo");
    expect(status.fileStatus.map(({ name }) => name)).toEqual(["new.txt"]);
  });

  test("Python and Node are there", async () => {
    const python = await sandbox.commands.run("python3 -c 'print(6 * 7)'");
    expect(python.stdout).toBe("42\n");
    const node = await sandbox.commands.run("node -p '6 * 7'");
    expect(node.stdout).toBe("42\n");
  });
});
