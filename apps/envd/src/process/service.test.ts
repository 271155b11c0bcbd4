import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Process, Signal } from "@castellan/contracts/process";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gather, run } from "../testing/run.ts";
import { as, isRoot, startTestDaemon, type TestDaemon } from "../testing/test-daemon.ts";

let daemon: TestDaemon;

beforeAll(async () => {
  daemon = await startTestDaemon();
});

afterAll(() => daemon?.stop());

const byPid = (pid: number) => ({ selector: { case: "pid", value: pid } as const });
const byTag = (tag: string) => ({ selector: { case: "tag", value: tag } as const });
const stdin = (text: string) => ({ input: { case: "stdin", value: new TextEncoder().encode(text) } as const });

/** Starts a command and returns once it has said where it is. */
async function background(script: string, options: Parameters<typeof run>[2] = {}) {
  const { promise: pid, resolve } = Promise.withResolvers<number>();
  const result = run(daemon.process, script, { ...options, onPid: resolve });
  result.catch(() => {});
  return { pid: await Promise.race([pid, result.then((early) => early.pid)]), result };
}

async function fails(work: Promise<unknown>): Promise<ConnectError> {
  const error = await work.then(
    () => new Error("it worked"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  return error;
}

describe("a command", () => {
  it("streams its start first, then its output, then its end", async () => {
    const result = await run(daemon.process, "echo out; echo err >&2");
    expect(result).toMatchObject({ stdout: "out\n", stderr: "err\n", exitCode: 0, order: "start data end" });
    expect(result.status).toBe("exit status 0");
    expect(result.error).toBeUndefined();
  });

  it("says how it failed", async () => {
    expect(await run(daemon.process, "exit 3")).toMatchObject({
      exitCode: 3,
      status: "exit status 3",
      error: "exit status 3",
    });
    const killed = await run(daemon.process, "kill -9 $$");
    expect(killed).toMatchObject({ exitCode: -1, status: "signal: killed", error: "signal: killed" });
  });

  it("delivers a megabyte of output whole, in order and before its end", async () => {
    const { stdout } = await run(daemon.process, "seq 1 150000");
    expect(stdout).toBe(`${Array.from({ length: 150_000 }, (_, index) => index + 1).join("\n")}\n`);
  });

  it("flushes the start before there is any output", async () => {
    const { pid, result } = await background("sleep 30");
    expect(pid).toBeGreaterThan(1);
    await daemon.process.sendSignal({ process: byPid(pid), signal: Signal.SIGKILL });
    await result;
  });

  it("has real pipes, which can be opened again by name", async () => {
    const { stdout, stderr } = await run(
      daemon.process,
      "echo a > /dev/stdout; echo b > /dev/stderr; echo c | tee /dev/stderr",
    );
    expect(stdout).toBe("a\nc\n");
    expect(stderr).toBe("b\nc\n");
  });

  it("leads a session of its own", async () => {
    const { stdout, pid } = await run(daemon.process, "ps -o sid=,pgid= -p $$");
    expect(stdout.trim().split(/\s+/).map(Number)).toEqual([pid, pid]);
  });

  it("has the usual priority, and is killed before the daemon when memory runs out", async () => {
    const { stdout } = await run(
      daemon.process,
      `nice; cat /proc/self/oom_score_adj /proc/${daemon.pid}/oom_score_adj`,
    );
    const [nice, own, daemons] = stdout.trim().split("\n");
    expect(nice).toBe("0");
    expect(Number(own)).toBeGreaterThanOrEqual(500);
    expect(Number(daemons)).toBeLessThan(500);
  });

  it("ends with its output although something it left in the background holds no pipe", async () => {
    const { stdout } = await run(daemon.process, "sleep 30 > /dev/null 2>&1 & echo done");
    expect(stdout).toBe("done\n");
  });

  it("is followed until what it left in the background closes the output", async () => {
    const { stdout } = await run(daemon.process, "(sleep 0.5; echo late) & echo early");
    expect(stdout).toBe("early\nlate\n");
  });

  it.each([true, false])("is served over gRPC-web too (binary messages: %s)", async (useBinaryFormat) => {
    const transport = createGrpcWebTransport({ baseUrl: daemon.url, httpVersion: "1.1", useBinaryFormat });
    expect((await run(createClient(Process, transport), "echo web")).stdout).toBe("web\n");
  });

  it("is served with binary messages of the Connect protocol too", async () => {
    const client = createClient(Process, daemon.transport({ binary: true }));
    expect((await run(client, "echo binary")).stdout).toBe("binary\n");
  });
});

describe("where and as whom a command runs", () => {
  it("is the default user's home, with the user's environment and nothing of the daemon's", async () => {
    const { stdout } = await run(daemon.process, "pwd; env -0 | sort -z | tr '\\0' '\\n'");
    const [cwd, ...environment] = stdout.trim().split("\n");
    expect(cwd).toBe(daemon.home);
    expect(environment.map((line) => line.split("=")[0])).toEqual(
      expect.arrayContaining(["HOME", "LOGNAME", "PATH", "SHELL", "USER"]),
    );
    expect(environment).toContain("USER=user");
    expect(stdout).not.toContain("CASTELLAN");
    expect(stdout).not.toContain("NODE_");
  });

  it("takes directories relative to the home", async () => {
    expect((await run(daemon.process, "mkdir -p sub && pwd")).stdout).toBe(`${daemon.home}\n`);
    expect((await run(daemon.process, "pwd", { cwd: "sub" })).stdout).toBe(`${daemon.home}/sub\n`);
    expect((await run(daemon.process, "pwd", { cwd: "~/sub" })).stdout).toBe(`${daemon.home}/sub\n`);
    expect((await run(daemon.process, "pwd", { cwd: "/tmp" })).stdout).toBe("/tmp\n");
  });

  it("sets the request's variables for that command only", async () => {
    expect((await run(daemon.process, "echo $FOO", { envs: { FOO: "bar" } })).stdout).toBe("bar\n");
    expect((await run(daemon.process, "echo $FOO")).stdout).toBe("\n");
  });

  it.runIf(isRoot)("is the named user, with the user's groups", async () => {
    expect((await run(daemon.process, "id")).stdout).toBe("uid=21001 gid=21001 groups=21001,21027\n");
    expect((await run(daemon.process, "id", { cwd: "/", headers: as("other") })).stdout).toBe(
      "uid=21002 gid=21002 groups=21002\n",
    );
    expect((await run(daemon.process, "id -u", { headers: as("root") })).stdout).toBe("0\n");
  });

  it.runIf(isRoot)("does not load the user's libraries while the user is being switched to", async () => {
    const { stdout, stderr } = await run(daemon.process, "echo $LD_PRELOAD; id -G", {
      envs: { LD_PRELOAD: "/tmp/nowhere.so" },
    });
    expect(stdout).toBe("/tmp/nowhere.so\n21001 21027\n");
    // bash and id complain about the missing library, setpriv does not get to see it.
    expect(stderr).not.toContain("setpriv");
  });

  it.runIf(isRoot)("starts at the root where the user's home is missing", async () => {
    expect((await run(daemon.process, "pwd", { headers: as("other") })).stdout).toBe("/\n");
  });

  it("is refused for users that do not exist", async () => {
    const error = await fails(run(daemon.process, "true", { headers: as("stranger") }));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(error.rawMessage).toBe("invalid username: 'stranger'");
  });
});

describe("a command that cannot start", () => {
  it.each([
    ["a directory that is missing", { cmd: "/bin/true", cwd: "/nowhere" }, "cwd '/nowhere' does not exist"],
    ["a directory that is a file", { cmd: "/bin/true", cwd: "/etc/passwd" }, "cwd '/etc/passwd' is not a directory"],
    ["a home that is someone else's", { cmd: "/bin/true", cwd: "~root" }, 'invalid cwd: cannot expand "~root"'],
    ["a program that is missing", { cmd: "no-such-program" }, "command 'no-such-program' was not found in PATH"],
    ["a path that is no program", { cmd: "/etc/passwd" }, "command '/etc/passwd' is not an executable file"],
    ["no program", { cmd: "" }, "no command given"],
    ["a NUL byte in an argument", { cmd: "echo", args: ["a\0b"] }, "command or arguments hold a NUL byte"],
    [
      "a variable without a name",
      { cmd: "/bin/true", envs: { "": "x" } },
      'environment variable "" has an invalid name',
    ],
    ["arguments beyond the system's limit", { cmd: "/bin/true", args: ["x".repeat(3_000_000)] }, "too large"],
  ])("because of %s says so", async (_what, process, message) => {
    const error = await fails(gather(daemon.process.start({ process })));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toContain(message);
  });

  it("leaves no pipes behind", async () => {
    for (let attempt = 0; attempt < 40; attempt++) await fails(gather(daemon.process.start({ process: { cmd: "/" } })));
    const { stdout } = await run(
      daemon.process,
      `ls /proc/${daemon.pid}/fd | wc -l`,
      isRoot ? { headers: as("root") } : {},
    );
    expect(Number(stdout)).toBeLessThan(45);
  });
});

describe("a deadline", () => {
  it("kills the command and its children and ends the stream with deadline_exceeded", async () => {
    const marker = `${daemon.home}/survived`;
    const error = await fails(run(daemon.process, `(sleep 1.5; touch ${marker}) & sleep 30`, { timeoutMs: 700 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    await sleep(1_500);
    expect(existsSync(marker)).toBe(false);
    expect((await daemon.process.list({})).processes).toEqual([]);
  });

  it("is kept by the daemon when the client has gone", async () => {
    const abort = new AbortController();
    const { promise: pid, resolve } = Promise.withResolvers<number>();
    const events = daemon.process.start(
      { process: { cmd: "/bin/sleep", args: ["30"] }, stdin: false },
      { signal: abort.signal, timeoutMs: 1_000 },
    );
    gather(events, resolve).catch(() => {});
    await pid;
    abort.abort();
    await sleep(300);
    expect((await daemon.process.list({})).processes).toHaveLength(1);
    await expect.poll(async () => (await daemon.process.list({})).processes, { timeout: 3_000 }).toEqual([]);
  });

  it("lets what only runs in the background live, such as a server", async () => {
    const { stdout } = await run(daemon.process, "sleep 31 >/dev/null 2>&1 </dev/null & echo $!");
    const pid = stdout.trim();
    // Unlike any other run's on this machine.
    const server = `sleep 32.${process.pid}`;
    const error = await fails(run(daemon.process, `${server} & echo $!`, { timeoutMs: 1_500 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    await expect.poll(async () => (await daemon.process.list({})).processes, { timeout: 3_000 }).toEqual([]);
    const { stdout: alive } = await run(
      daemon.process,
      `kill -0 ${pid} && pgrep -c -f '^${server}$'; kill ${pid}; pkill -f '^${server}$'`,
    );
    expect(alive.trim()).toBe("1");
  });

  it.each(["0", "-1", "8640000000", undefined])("of %s ms does not end a command at once", async (timeout) => {
    const response = await fetch(`${daemon.url}/process.Process/Start`, {
      method: "POST",
      headers: {
        "content-type": "application/connect+json",
        ...(timeout !== undefined && { "connect-timeout-ms": timeout }),
      },
      body: envelope({ process: { cmd: "/bin/sh", args: ["-c", "sleep 0.3; echo slow"] }, stdin: false }),
    });
    const text = await response.text();
    expect(text).toContain(Buffer.from("slow\n").toString("base64"));
    expect(text).toContain("exit status 0");
  });

  it("that is no number is refused", async () => {
    const headers = { "content-type": "application/connect+json", "connect-timeout-ms": "soon" };
    const body = envelope({ process: { cmd: "/bin/true" } });
    const response = await fetch(`${daemon.url}/process.Process/Start`, { method: "POST", headers, body });
    expect(await response.text()).toContain("invalid_argument");
  });
});

describe("input", () => {
  it("reaches the command, and closing it ends it", async () => {
    const { pid, result } = await background("cat /dev/stdin", { stdin: true });
    await daemon.process.sendInput({ process: byPid(pid), input: stdin("one ") });
    await daemon.process.sendInput({ process: byPid(pid), input: stdin("") });
    await daemon.process.sendInput({ process: byPid(pid), input: stdin("two") });
    await daemon.process.closeStdin({ process: byPid(pid) });
    expect((await result).stdout).toBe("one two");
  });

  it("is open when the request does not say", async () => {
    const { promise: pid, resolve } = Promise.withResolvers<number>();
    const result = gather(daemon.process.start({ process: { cmd: "/bin/cat" } }), resolve);
    await daemon.process.sendInput({ process: byPid(await pid), input: stdin("open") });
    await daemon.process.closeStdin({ process: byPid(await pid) });
    expect((await result).stdout).toBe("open");
  });

  it("is empty when the request says no", async () => {
    expect((await run(daemon.process, "cat; echo end", { stdin: false })).stdout).toBe("end\n");
  });

  it("takes four megabytes in one message", async () => {
    const { pid, result } = await background("wc -c", { stdin: true });
    await daemon.process.sendInput({ process: byPid(pid), input: stdin("x".repeat(4 * 1024 * 1024)) });
    await daemon.process.closeStdin({ process: byPid(pid) });
    expect((await result).stdout).toBe("4194304\n");
  });

  it("waits for a command that reads slowly, and no more than 8 MiB of it", async () => {
    const { pid, result } = await background("sleep 30", { stdin: true });
    const input = stdin("x".repeat(4 * 1024 * 1024));
    const sent = [1, 2, 3].map(() => fails(daemon.process.sendInput({ process: byPid(pid), input })));
    expect((await Promise.race(sent)).code).toBe(Code.ResourceExhausted);
    await daemon.process.sendSignal({ process: byPid(pid), signal: Signal.SIGKILL });
    await result;
    // What waited has nowhere to go any more.
    const codes = (await Promise.all(sent)).map(({ code }) => code);
    expect(codes.sort()).toEqual([Code.ResourceExhausted, Code.FailedPrecondition, Code.FailedPrecondition]);
  });

  it.each([
    ["was never opened", false],
    ["has been closed", true],
  ])("that %s is refused", async (_what, open) => {
    const { pid, result } = await background("sleep 30", { stdin: open });
    await daemon.process.closeStdin({ process: byPid(pid) });
    const error = await fails(daemon.process.sendInput({ process: byPid(pid), input: stdin("late") }));
    expect(error.code).toBe(Code.FailedPrecondition);
    await daemon.process.sendSignal({ process: byPid(pid), signal: Signal.SIGTERM });
    expect((await result).status).toBe("signal: terminated");
  });
});

describe("signals", () => {
  it("reach the command alone, and its children are not waited for", async () => {
    const { pid, result } = await background("sleep 33 & echo $!; wait");
    await sleep(200);
    await daemon.process.sendSignal({ process: byPid(pid), signal: Signal.SIGKILL });
    const { stdout, status } = await result;
    expect(status).toBe("signal: killed");
    const { stdout: alive } = await run(
      daemon.process,
      `kill -0 ${stdout.trim()} && echo alive; kill ${stdout.trim()}`,
    );
    expect(alive).toBe("alive\n");
  });

  it("end the wait for what a finished command left in the background", async () => {
    const { pid, result } = await background("sleep 34 & echo left");
    await sleep(300);
    await daemon.process.sendSignal({ process: byPid(pid), signal: Signal.SIGKILL });
    expect(await result).toMatchObject({ stdout: "left\n", status: "exit status 0" });
    await run(daemon.process, "pkill -f '^sleep 34$'");
  });

  it("other than SIGTERM and SIGKILL are refused", async () => {
    const { pid, result } = await background("sleep 30");
    const error = await fails(daemon.process.sendSignal({ process: byPid(pid) }));
    expect(error.code).toBe(Code.InvalidArgument);
    await daemon.process.sendSignal({ process: byPid(pid), signal: Signal.SIGKILL });
    await result;
  });
});

describe("selecting a process", () => {
  it("lists the live ones, with their tags", async () => {
    const { pid, result } = await background("sleep 30", { tag: "sleeper", envs: { A: "b" } });
    const { processes } = await daemon.process.list({});
    expect(processes).toMatchObject([{ pid, tag: "sleeper", config: { cmd: "/bin/bash", envs: { A: "b" } } }]);
    await daemon.process.sendSignal({ process: byTag("sleeper"), signal: Signal.SIGKILL });
    await result;
    expect((await daemon.process.list({})).processes).toEqual([]);
  });

  it.each([
    [
      "input",
      (selector: ReturnType<typeof byPid>) => daemon.process.sendInput({ process: selector, input: stdin("x") }),
    ],
    ["closing input", (selector: ReturnType<typeof byPid>) => daemon.process.closeStdin({ process: selector })],
    [
      "a signal",
      (selector: ReturnType<typeof byPid>) => daemon.process.sendSignal({ process: selector, signal: Signal.SIGKILL }),
    ],
    ["a connection", (selector: ReturnType<typeof byPid>) => gather(daemon.process.connect({ process: selector }))],
  ])("that does not exist for %s is not_found", async (_what, call) => {
    const error = await fails(call(byPid(999_999)));
    expect(error.code).toBe(Code.NotFound);
    expect(error.rawMessage).toBe("process with pid 999999 not found");
  });

  it("with nothing selected is invalid_argument", async () => {
    expect((await fails(daemon.process.closeStdin({}))).code).toBe(Code.InvalidArgument);
  });
});

describe("following a process", () => {
  it("again gives the output from then on to everybody", async () => {
    const { pid, result } = await background("read line; echo $line", { stdin: true });
    const again = gather(daemon.process.connect({ process: byPid(pid) }));
    await sleep(200);
    await daemon.process.sendInput({ process: byPid(pid), input: stdin("hello\n") });
    expect((await result).stdout).toBe("hello\n");
    expect(await again).toMatchObject({ stdout: "hello\n", pid, order: "start data end" });
  });

  it("shortly after its end still tells how it ended", async () => {
    const { pid } = await run(daemon.process, "exit 5", { tag: "gone" });
    expect(await gather(daemon.process.connect({ process: byPid(pid) }))).toMatchObject({
      exitCode: 5,
      order: "start end",
    });
    expect(await gather(daemon.process.connect({ process: byTag("gone") }))).toMatchObject({ exitCode: 5 });
  });

  it("has a deadline of its own, which does not end the process", async () => {
    const { pid, result } = await background("sleep 30");
    const error = await fails(gather(daemon.process.connect({ process: byPid(pid) }, { timeoutMs: 300 })));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect((await daemon.process.list({})).processes).toHaveLength(1);
    await daemon.process.sendSignal({ process: byPid(pid), signal: Signal.SIGKILL });
    await result;
  });

  it("gets signs of life when there is no output for the interval that the client names", async () => {
    const { order } = await run(daemon.process, "echo a; sleep 1.5; echo b", {
      headers: { "keepalive-ping-interval": "1" },
    });
    expect(order).toBe("start data keepalive data end");
  });

  it("goes on for others and for the process when a client has gone", async () => {
    const { pid, result } = await background("read line; seq 1 200000 | tail -1", { stdin: true });
    const abort = new AbortController();
    const gone = gather(daemon.process.connect({ process: byPid(pid) }, { signal: abort.signal }));
    await sleep(200);
    abort.abort();
    await fails(gone);
    await daemon.process.sendInput({ process: byPid(pid), input: stdin("go\n") });
    expect((await result).stdout).toBe("200000\n");
  });

  it("by a client that reads nothing makes the process wait, and memory stays bounded", async () => {
    const script = "head -c 300000000 /dev/zero; echo finished >&2";
    const response = await fetch(`${daemon.url}/process.Process/Start`, {
      method: "POST",
      headers: { "content-type": "application/connect+json" },
      body: envelope({ process: { cmd: "/bin/sh", args: ["-c", script] }, stdin: false, tag: "flood" }),
    });
    await sleep(1_500);
    const { stdout } = await run(
      daemon.process,
      `grep VmRSS /proc/${daemon.pid}/status; pgrep -c -f '^head -c 300000000'`,
    );
    expect(Number(/VmRSS:\s+(\d+)/.exec(stdout)?.[1])).toBeLessThan(200_000);
    expect(stdout.trim().split("\n").at(-1)).toBe("1");
    // When the client goes, the process can go on.
    await response.body?.cancel();
    await expect.poll(async () => (await daemon.process.list({})).processes, { timeout: 10_000 }).toEqual([]);
  });
});

/** A message of a streaming request with JSON messages. */
function envelope(message: unknown): Uint8Array<ArrayBuffer> {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return new Uint8Array(Buffer.concat([head, body]));
}
