import { statSync } from "node:fs";
import { type Process, type ProcessInput, type PTY, Signal, type StartRequest } from "@castellan/contracts/process";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Account } from "../accounts.ts";
import { callerOf } from "../caller.ts";
import { connectionOf } from "../connection.ts";
import { rpcFailure } from "../filesystem/failure.ts";
import type { Log } from "../log.ts";
import { resolvePath } from "../paths.ts";
import type { CurrentSettings, Settings } from "../settings.ts";
import { commandEnvironment } from "./environment.ts";
import { keepAliveInterval } from "./keep-alive.ts";
import { launch } from "./launch.ts";
import type { PipePool } from "./pipes.ts";
import { RunningProcess } from "./running-process.ts";
import type { Event, Subscription } from "./subscription.ts";
import type { ProcessTable } from "./table.ts";
import type { TerminalSize } from "./terminal.ts";

/**
 * The RPCs about processes. A process lives as long as the request's timeout says, whether or not anybody listens: a
 * client that goes away can come back with Connect.
 */
export function processService(
  settings: CurrentSettings,
  path: string,
  pipes: PipePool,
  table: ProcessTable,
  log: Log,
): Partial<ServiceImpl<typeof Process>> {
  const begin = async ({ process: config, pty, stdin = true, tag }: StartRequest, context: HandlerContext) => {
    if (!config) throw new ConnectError("no process given", Code.InvalidArgument);
    const account = callerOf(context);
    const { envVars } = settings.current;
    const launched = await launch(
      {
        cmd: config.cmd,
        args: config.args,
        cwd: workingDirectory(config.cwd, account, settings.current),
        env: commandEnvironment(account, path, envVars, config.envs),
        account,
        stdin,
        terminal: pty && sizeOf(pty),
      },
      pipes,
    );
    const process = new RunningProcess(launched, context.timeoutMs());
    table.add(process, { pid: process.pid, config, ...(tag !== undefined && { tag }) });
    const started = performance.now();
    log.info({ pid: process.pid, user: account.name, program: config.cmd }, "process started");
    void process.ended.then(({ status }) =>
      log.info({ pid: process.pid, status, ms: Math.round(performance.now() - started) }, "process ended"),
    );
    return process;
  };

  return {
    async *start(request, context) {
      yield* follow(await begin(request, context), context);
    },

    async *connect(request, context) {
      const past = table.ended(request.process);
      if (past) {
        yield started(past.pid);
        yield { event: { event: { case: "end", value: past.end } } };
        return;
      }
      yield* follow(table.get(request.process), context);
    },

    list() {
      return { processes: table.list() };
    },

    async sendInput(request) {
      await feed(table.get(request.process), request.input);
      return {};
    },

    async streamInput(requests) {
      let process: RunningProcess | undefined;
      for await (const { event } of requests) {
        if (event.case === "start") process = table.get(event.value.process);
        if (event.case !== "data") continue;
        if (!process) throw new ConnectError("the first message must say which process", Code.InvalidArgument);
        await feed(process, event.value.input);
      }
      return {};
    },

    update(request) {
      const process = table.get(request.process);
      if (request.pty) process.resize(sizeOf(request.pty));
      return {};
    },

    closeStdin(request) {
      table.get(request.process).closeInput();
      return {};
    },

    sendSignal(request) {
      const process = table.get(request.process);
      switch (request.signal) {
        case Signal.SIGKILL:
          process.signal("SIGKILL");
          return {};
        case Signal.SIGTERM:
          process.signal("SIGTERM");
          return {};
        default:
          throw new ConnectError("only SIGTERM and SIGKILL can be sent", Code.InvalidArgument);
      }
    },
  };
}

async function feed(process: RunningProcess, input: ProcessInput | undefined): Promise<void> {
  const given = input?.input;
  if (given?.case === undefined) throw new ConnectError("no input given", Code.InvalidArgument);
  await process.write(given.case, given.value);
}

const maxTerminalSize = 65_535;

function sizeOf({ size }: PTY): TerminalSize {
  const { cols, rows } = size ?? { cols: 0, rows: 0 };
  if (Math.max(cols, rows) > maxTerminalSize) {
    throw new ConnectError(`a terminal has at most ${maxTerminalSize} columns and rows`, Code.InvalidArgument);
  }
  return { cols, rows };
}

/** An account's home may be missing; a command that names no directory then starts at the root, as a login would. */
function workingDirectory(wanted: string | undefined, account: Account, { defaultWorkdir }: Settings): string {
  try {
    const directory = resolvePath(wanted ?? "", account, defaultWorkdir);
    const isHome = !wanted && !defaultWorkdir;
    return isHome && !statSync(directory, { throwIfNoEntry: false }) ? "/" : directory;
  } catch (error) {
    throw rpcFailure("invalid cwd", error);
  }
}

/**
 * The events of a process for one client: the start first, then output as it comes, a sign of life whenever there was
 * none for the client's interval, and the end. Ends with the RPC's deadline, or when the client has gone.
 */
async function* follow(process: RunningProcess, context: HandlerContext): AsyncGenerator<{ event: Event }> {
  const { output } = process;
  const { signal } = context;
  const subscription: Subscription = output.subscribe(() => connectionOf(context)?.destroy());
  // The stream that carries these events may be stuck in a write and never come back here, so tidying up hangs on the
  // signal and not on this function's end.
  const stop = () => {
    clearInterval(keepAlive);
    subscription.cancel(signal.reason);
    output.unsubscribe(subscription);
  };
  const keepAlive = setInterval(() => {
    if (subscription.idle) subscription.push({ event: { case: "keepalive", value: {} } });
  }, keepAliveInterval(context.requestHeader));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();

  yield started(process.pid);
  for await (const event of subscription) {
    keepAlive.refresh();
    yield { event };
  }
}

function started(pid: number): { event: Event } {
  return { event: { event: { case: "start", value: { pid } } } };
}
