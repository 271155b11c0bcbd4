import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Process, Signal, type StreamInputRequestSchema } from "@castellan/contracts/process";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../testing/run.ts";
import { as, isRoot, startTestDaemon, type TestDaemon } from "../testing/test-daemon.ts";

let daemon: TestDaemon;

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon?.stop());

const byPid = (pid: number) => ({ selector: { case: "pid", value: pid } as const });
const keys = (text: string) => ({ input: { case: "pty", value: Buffer.from(text) } as const });
const typed = (pid: number, text: string) => daemon.process.sendInput({ process: byPid(pid), input: keys(text) });

interface Session {
  readonly pid: number;
  /** All that was on the screen so far. */
  screen(): string;
  /** Resolves with how it ended. */
  readonly end: Promise<{ exitCode: number; exited: boolean; status: string }>;
  until(text: string): Promise<void>;
  leave(): void;
}

type Events = ReturnType<TestDaemon["process"]["start"]> | ReturnType<TestDaemon["process"]["connect"]>;

async function watch(events: Events, leaving: AbortController): Promise<Session> {
  const started = Promise.withResolvers<number>();
  let screen = "";
  const end = (async () => {
    for await (const { event } of events) {
      const happened = event?.event;
      if (happened?.case === "start") started.resolve(happened.value.pid);
      if (happened?.case === "data" && happened.value.output.case === "pty") {
        screen += Buffer.from(happened.value.output.value).toString();
      }
      if (happened?.case === "end") return happened.value;
    }
    throw new Error("the stream has no end event");
  })();
  end.catch((error: unknown) => started.reject(error));
  const pid = await started.promise;
  return {
    pid,
    screen: () => screen,
    end,
    async until(text) {
      const deadline = performance.now() + 20_000;
      while (!screen.includes(text)) {
        if (performance.now() > deadline) throw new Error(`never on the screen: ${text}\n${screen}`);
        await sleep(10);
      }
    },
    leave: () => leaving.abort(),
  };
}

function open(
  script: string,
  {
    cols = 80,
    rows = 24,
    timeoutMs,
    headers = {},
  }: { cols?: number; rows?: number; timeoutMs?: number; headers?: Record<string, string> } = {},
) {
  const leaving = new AbortController();
  const events = daemon.process.start(
    { process: { cmd: "/bin/bash", args: ["-c", script], envs: { TERM: "xterm" } }, pty: { size: { cols, rows } } },
    { signal: leaving.signal, headers, ...(timeoutMs !== undefined && { timeoutMs }) },
  );
  return watch(events, leaving);
}

async function fails(work: Promise<unknown>): Promise<ConnectError> {
  const error = await work.then(
    () => new Error("it worked"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  return error;
}

describe("a terminal", () => {
  it("is one to the command, of the size asked for, belongs to the user, and tells the end", async () => {
    const session = await open(
      '[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && stty size; stat -c "%U %a" $(tty); echo $TERM; exit 3',
    );
    expect(await session.end).toMatchObject({ exitCode: 3, exited: true, status: "exit status 3" });
    const owner = isRoot ? "21001" : String(process.getuid?.());
    expect(session.screen()).toMatch(/^24 80\r\n\S+ 620\r\nxterm\r\n$/);
    const named = await open("stat -c %u $(tty)");
    await named.end;
    expect(named.screen()).toBe(`${owner}\r\n`);
  });

  it("has the command's session to itself, with the user's groups", async () => {
    const session = await open("ps -o pid=,sid=,tpgid= -p $$ | tr -s ' '; id -G");
    await session.end;
    const { pid } = session;
    const [ids = "", groups = ""] = session.screen().split("\r\n");
    expect(ids.trim().split(" ").slice(0, 2)).toEqual([String(pid), String(pid)]);
    if (isRoot) expect(groups).toBe("21001 21027");
  });

  it("takes what is typed, and Ctrl-C ends the job in front and not the shell", async () => {
    const session = await open("exec bash --norc -i");
    await typed(session.pid, "sleep 1000; echo after=$?\n");
    await session.until("sleep 1000");
    await sleep(300);
    await typed(session.pid, "\u0003");
    await typed(session.pid, "echo still-$((40 + 2))\n");
    await session.until("still-42");
    await typed(session.pid, "exit 5\n");
    expect(await session.end).toMatchObject({ exitCode: 5 });
  });

  it("changes its size, and the command hears of it", async () => {
    const session = await open('trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done', {
      timeoutMs: 60_000,
    });
    await session.until("ready");
    await daemon.process.update({ process: byPid(session.pid), pty: { size: { cols: 100, rows: 30 } } });
    await session.until("30 100");
    const wrong = await fails(
      daemon.process.update({ process: byPid(session.pid), pty: { size: { cols: 70_000, rows: 1 } } }),
    );
    expect(wrong.code).toBe(Code.InvalidArgument);
    await daemon.process.update({ process: byPid(session.pid) });
    await daemon.process.sendSignal({ process: byPid(session.pid), signal: Signal.SIGKILL });
    expect(await session.end).toMatchObject({ exited: false, status: "signal: killed" });
  });

  it("can be left and come back to", async () => {
    const session = await open("exec cat");
    await typed(session.pid, "one\n");
    await session.until("one\r\none\r\n");
    session.leave();
    await session.end.catch(() => {});
    await sleep(50);
    const again = await watch(daemon.process.connect({ process: byPid(session.pid) }), new AbortController());
    expect(again.pid).toBe(session.pid);
    await typed(session.pid, "two\n\u0004");
    expect(await again.end).toMatchObject({ exitCode: 0 });
    expect(again.screen()).toBe("two\r\ntwo\r\n");
  });

  it("ends with its request's timeout, and hangs up what it started", async () => {
    const marker = "terminal-timeout-marker";
    const session = await open(`bash -c 'exec -a ${marker} sleep 1000' & wait`, { timeoutMs: 1_000 });
    await session.end.catch(() => {});
    await sleep(300);
    const { stdout } = await run(daemon.process, `pgrep -f ^${marker} | wc -l`);
    expect(stdout).toBe("0\n");
  });

  it("brings a megabyte whole, at the reader's pace", async () => {
    const session = await open("stty -opost; seq 1 150000; echo done");
    await session.end;
    expect(session.screen().split("\n").slice(0, 150_000)).toEqual(
      Array.from({ length: 150_000 }, (_, index) => String(index + 1)),
    );
    expect(session.screen().endsWith("done\n")).toBe(true);
  });

  it("takes much input without holding up the daemon while the command does not read", async () => {
    const session = await open("stty raw -echo; echo ready; sleep 2; head -c 200000 | wc -c", { timeoutMs: 60_000 });
    await session.until("ready");
    const sending = typed(session.pid, "x".repeat(200_000));
    const before = performance.now();
    expect((await fetch(`${daemon.url}/health`)).status).toBe(204);
    expect(performance.now() - before).toBeLessThan(1_000);
    await sending;
    expect(await session.end).toMatchObject({ exitCode: 0 });
    expect(session.screen()).toContain("200000");
  });

  it("is typed on as such only, and a command without one is not", async () => {
    const session = await open("exec cat");
    const stdin = { input: { case: "stdin", value: Buffer.from("x") } as const };
    for (const wrong of [
      daemon.process.sendInput({ process: byPid(session.pid), input: stdin }),
      daemon.process.closeStdin({ process: byPid(session.pid) }),
    ]) {
      expect((await fails(wrong)).code).toBe(Code.FailedPrecondition);
    }
    await typed(session.pid, "\u0004");
    await session.end;
    const { promise: pid, resolve } = Promise.withResolvers<number>();
    const plain = run(daemon.process, "cat", { stdin: true, onPid: resolve });
    for (const wrong of [
      typed(await pid, "x"),
      daemon.process.update({ process: byPid(await pid), pty: { size: { cols: 1, rows: 1 } } }),
    ]) {
      expect((await fails(wrong)).code).toBe(Code.FailedPrecondition);
    }
    await daemon.process.closeStdin({ process: byPid(await pid) });
    await plain;
    expect((await fails(typed(session.pid, "x"))).code).toBe(Code.NotFound);
  });

  it("is given back, also when the command cannot be started", async () => {
    const descriptors = () => readdirSync(`/proc/${daemon.pid}/fd`).length;
    const before = descriptors();
    for (let attempt = 0; attempt < 20; attempt++) {
      const events = daemon.process.start({
        process: { cmd: "/bin/true", args: ["x".repeat(3_000_000)] },
        pty: { size: { cols: 1, rows: 1 } },
      });
      await fails(watch(events, new AbortController()));
      await (await open("exit")).end;
    }
    await expect.poll(descriptors, { timeout: 10_000 }).toBeLessThan(before + 15);
  });
});

type Message = MessageInitShape<typeof StreamInputRequestSchema>;

async function* each(...messages: Message[]): AsyncGenerator<Message> {
  yield* messages;
}

const first = (pid: number): Message => ({ event: { case: "start", value: { process: byPid(pid) } } });
const then = (text: string): Message => ({
  event: { case: "data", value: { input: { input: { case: "stdin", value: Buffer.from(text) } } } },
});
const alive: Message = { event: { case: "keepalive", value: {} } };

describe("input that is streamed", () => {
  it.each([
    ["JSON", false],
    ["binary", true],
  ])("reaches the process in its order in %s messages", async (_what, binary) => {
    const client = createClient(Process, daemon.transport({ binary }));
    const { promise: pid, resolve } = Promise.withResolvers<number>();
    const result = run(client, "head -c 12", { stdin: true, onPid: resolve });
    await client.streamInput(each(first(await pid), alive, then("one "), alive, then("two "), then("tri ")));
    expect((await result).stdout).toBe("one two tri ");
  });

  it("needs to say first for whom it is", async () => {
    expect((await fails(daemon.process.streamInput(each(then("x"))))).code).toBe(Code.InvalidArgument);
    expect((await fails(daemon.process.streamInput(each(first(999_999))))).code).toBe(Code.NotFound);
  });

  it("may take its time", async () => {
    const { promise: pid, resolve } = Promise.withResolvers<number>();
    const result = run(daemon.process, "head -c 2", { stdin: true, onPid: resolve });
    const process = await pid;
    async function* slowly(): AsyncGenerator<Message> {
      yield first(process);
      for (const part of ["a", "b"]) {
        await sleep(500);
        yield then(part);
      }
    }
    await daemon.process.streamInput(slowly());
    expect((await result).stdout).toBe("ab");
  });
});

it.runIf(isRoot)("a terminal can be root's", async () => {
  const session = await open("id -u; stat -c %u $(tty)", { headers: as("root") });
  await session.end;
  expect(session.screen()).toBe("0\r\n0\r\n");
});
