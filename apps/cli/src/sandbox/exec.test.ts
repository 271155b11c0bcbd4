import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { PassThrough, Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { execInSandbox, type SandboxTarget } from "./exec.ts";
import { exitCodeOf } from "./exit-code.ts";
import { createTestDaemon, type TestDaemon } from "./test-daemon.ts";

describe("exec", () => {
  let daemon: TestDaemon;
  let server: Server;
  let target: SandboxTarget;
  beforeEach(async () => {
    daemon = createTestDaemon();
    server = createServer(daemon.handler);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    target = { url: `http://127.0.0.1:${address.port}`, sandboxId: "i1234", accessToken: "let-me-in" };
  });
  afterEach(async () => {
    daemon.killAll();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });

  const run = async (command: string[], options: RunOptions = {}) => {
    const stdout = new Collector();
    const stderr = new Collector();
    const interrupts = new Set<() => void>();
    const code = execInSandbox(
      options.target ?? target,
      { command, envs: options.envs ?? {}, ...options.request },
      {
        stdin: options.stdin,
        stdout: options.stdout ?? stdout,
        stderr,
        onInterrupt: (listener) => {
          interrupts.add(listener);
          options.onReady?.(() => {
            for (const interrupt of interrupts) interrupt();
          });
          return () => interrupts.delete(listener);
        },
      },
    );
    return { code: await code, stdout: stdout.text(), stderr: stderr.text(), listening: interrupts.size };
  };

  it("passes the exit code on", async () => {
    expect(await run(["true"])).toMatchObject({ code: 0, listening: 0 });
    expect(await run(["sh", "-c", "exit 7"])).toMatchObject({ code: 7, stderr: "" });
    expect(await run(["no-such-command-anywhere"])).toMatchObject({ code: 127 });
  });

  it("says 128 and the signal's number when a signal ended the process", async () => {
    expect(await run(["sh", "-c", "kill -9 $$"])).toMatchObject({ code: 137 });
    expect(await run(["sh", "-c", "kill -TERM $$"])).toMatchObject({ code: 143 });
  });

  it("keeps standard output and standard error apart, and every byte as it is", async () => {
    const { stdout, stderr } = await run(["sh", "-c", "printf 'o\\001\\303\\251'; printf 'e\\n' >&2"]);
    expect(stdout).toBe("o\u0001é");
    expect(stderr).toBe("e\n");
  });

  it("delivers every argument exactly as it was given", async () => {
    const args = ["a b", "$HOME", "'\"", "", "-x", "*"];
    const { stdout } = await run(["printf", "[%s]", ...args]);
    expect(stdout).toBe(args.map((arg) => `[${arg}]`).join(""));
  });

  it("streams the input and its end", async () => {
    const stdin = Readable.from([Buffer.from("one\n"), Buffer.from("two\n")]);
    expect(await run(["cat"], { stdin })).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
  });

  it("ends when the process does, though its input is still open", async () => {
    const stdin = new PassThrough();
    expect(await run(["true"], { stdin })).toMatchObject({ code: 0, stderr: "" });
    expect(stdin.destroyed).toBe(true);
  });

  it("gives an empty input when there is none", async () => {
    expect(await run(["cat"])).toMatchObject({ code: 0, stdout: "" });
  });

  it("sends environment, directory, user and token", async () => {
    const { stdout } = await run(["sh", "-c", "pwd; echo $COLOUR"], {
      envs: { COLOUR: "red" },
      request: { cwd: "/usr", user: "root" },
    });
    expect(stdout).toBe("/usr\nred\n");
    expect(daemon.lastHeaders().get("authorization")).toBe(`Basic ${Buffer.from("root:").toString("base64")}`);
    expect(daemon.lastHeaders().get("x-access-token")).toBe("let-me-in");
    expect(daemon.lastHeaders().get("e2b-sandbox-id")).toBe("i1234");
    expect(daemon.lastHeaders().get("e2b-sandbox-port")).toBe("49983");
  });

  it("turns the first Ctrl-C into SIGTERM and the second into SIGKILL", async () => {
    const once = await run(["sleep", "60"], { onReady: (interrupt) => interrupt() });
    expect(once.code).toBe(143);
    const stubborn = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"];
    let interrupt = (): void => undefined;
    const stdout = new Collector(() => {
      interrupt();
      setTimeout(interrupt, 200);
    });
    const twice = await run(stubborn, { stdout, onReady: (now) => (interrupt = now) });
    expect(twice.code).toBe(137);
  });

  it("ends the process and itself with 141 when nobody reads the output any more", async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error("EPIPE"), { code: "EPIPE" })),
    });
    expect(await run(["sh", "-c", "while :; do echo y; sleep 0.02; done"], { stdout })).toMatchObject({ code: 141 });
    await daemon.idle();
  });

  it("waits for a reader that is slow, and loses nothing", async () => {
    let bytes = 0;
    const stdout = new Writable({
      highWaterMark: 1024,
      write: (chunk: Buffer, _encoding, done) => {
        bytes += chunk.length;
        setTimeout(done, 1);
      },
    });
    expect(await run(["head", "-c", "3000000", "/dev/zero"], { stdout })).toMatchObject({ code: 0 });
    expect(bytes).toBe(3_000_000);
  });

  it("says 124 at the time limit", async () => {
    const ending = run(["sleep", "60"], { request: { timeoutMs: 300 } });
    await expect(ending).rejects.toMatchObject({ message: "The command was ended after 0.3 s.", exitCode: 124 });
  });

  it("says 255 and why when the connection is lost or nothing answers", async () => {
    const cut = run(["sh", "-c", "echo up; sleep 60"], { stdout: new Collector(() => server.closeAllConnections()) });
    await expect(cut).rejects.toMatchObject({ message: /connection to the sandbox was lost/, exitCode: 255 });
    const nobody = run(["true"], { target: { ...target, url: "http://127.0.0.1:1" } });
    await expect(nobody).rejects.toMatchObject({ message: /was not found, or .* does not answer/, exitCode: 255 });
    const stranger = run(["true"], { target: { ...target, accessToken: "wrong" } });
    await expect(stranger).rejects.toMatchObject({ message: /refused the access token/, exitCode: 255 });
  });
});

it("reads the signal's name however the daemon writes it", () => {
  const end = (status: string, exitCode = -1) => exitCodeOf({ exited: false, exitCode, status });
  expect(end("signal: killed")).toBe(137);
  expect(end("signal: SIGSEGV")).toBe(139);
  expect(end("signal: segmentation fault (core dumped)")).toBe(139);
  expect(end("signal: something new")).toBe(255);
  expect(end("", 143)).toBe(143);
});

interface RunOptions {
  stdin?: Readable;
  stdout?: Writable;
  envs?: Record<string, string>;
  request?: { cwd?: string; user?: string; timeoutMs?: number };
  target?: SandboxTarget;
  onReady?: (interrupt: () => void) => void;
}

class Collector extends Writable {
  readonly #chunks: Buffer[] = [];

  constructor(onChunk: () => void = () => undefined) {
    super({
      write: (chunk: Buffer, _encoding, done) => {
        this.#chunks.push(chunk);
        onChunk();
        done();
      },
    });
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
