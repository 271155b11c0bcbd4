import { type ChildProcess, spawn } from "node:child_process";
import { on } from "node:events";
import type { RequestListener } from "node:http";
import { constants } from "node:os";
import { create } from "@bufbuild/protobuf";
import { Process, type ProcessSelector, StartResponseSchema } from "@castellan/contracts/process";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

/** The part of the sandbox's daemon that `exec` needs, with real processes on this machine. For tests only. */
export interface TestDaemon {
  readonly handler: RequestListener;
  /** Headers of the last start. */
  lastHeaders(): Headers;
  /** Resolves when none of its processes runs. */
  idle(): Promise<void>;
  killAll(): void;
}

export function createTestDaemon(): TestDaemon {
  const running = new Map<number, ChildProcess>();
  let headers = new Headers();

  const find = (selector: ProcessSelector | undefined): ChildProcess => {
    const pid = selector?.selector.case === "pid" ? selector.selector.value : 0;
    const child = running.get(pid);
    if (child === undefined) throw new ConnectError(`no process ${pid}`, Code.NotFound);
    return child;
  };

  const routes = (router: ConnectRouter) =>
    router.service(Process, {
      async *start(request, context) {
        headers = context.requestHeader;
        if (headers.get("x-access-token") !== "let-me-in") throw new ConnectError("no", Code.Unauthenticated);
        const config = request.process;
        if (config === undefined) throw new ConnectError("no process", Code.InvalidArgument);
        const child = spawn(config.cmd, config.args, {
          // A login shell reads no one's profile there.
          env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...config.envs },
          cwd: config.cwd,
          stdio: [request.stdin === false ? "ignore" : "pipe", "pipe", "pipe"],
          detached: true,
        });
        const pid = child.pid ?? 0;
        running.set(pid, child);
        child.stdin?.on("error", () => undefined);
        context.signal.addEventListener("abort", () => {
          // The deadline is the process's; a client that goes away is not.
          if (context.signal.reason instanceof ConnectError && context.signal.reason.code === Code.DeadlineExceeded) {
            child.kill("SIGKILL");
          }
        });
        const events = on(child, "event", { close: ["done"] });
        child.stdout?.on("data", (value: Buffer) => child.emit("event", data("stdout", value)));
        child.stderr?.on("data", (value: Buffer) => child.emit("event", data("stderr", value)));
        child.on("close", (code, signal) => {
          running.delete(pid);
          child.emit("event", end(code, signal));
          child.emit("done");
        });
        yield create(StartResponseSchema, { event: { event: { case: "start", value: { pid } } } });
        for await (const [event] of events) yield create(StartResponseSchema, { event });
      },
      sendInput: async ({ process: selector, input }) => {
        const { stdin } = find(selector);
        if (input?.input.case !== "stdin") throw new ConnectError("no input", Code.InvalidArgument);
        stdin?.write(input.input.value);
        return {};
      },
      closeStdin: async ({ process: selector }) => {
        find(selector).stdin?.end();
        return {};
      },
      sendSignal: async ({ process: selector, signal }) => {
        find(selector).kill(signal);
        return {};
      },
    });

  return {
    handler: connectNodeAdapter({ routes }),
    lastHeaders: () => headers,
    idle: async () => {
      while (running.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    killAll: () => {
      for (const pid of running.keys()) process.kill(-pid, "SIGKILL");
    },
  };
}

function data(stream: "stdout" | "stderr", value: Buffer) {
  return { event: { case: "data", value: { output: { case: stream, value } } } };
}

function end(code: number | null, signal: NodeJS.Signals | null) {
  const status = signal === null ? `exit status ${code}` : `signal: ${signal}`;
  const exitCode = signal === null ? (code ?? 0) : -(constants.signals[signal] ?? 1);
  return {
    event: {
      case: "end",
      value: { exitCode, exited: signal === null, status, ...(code === 0 ? {} : { error: status }) },
    },
  };
}
