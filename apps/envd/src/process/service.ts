import { statSync } from "node:fs";
import { type Process, type ProcessConfig, Signal } from "@castellan/contracts/process";
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

/**
 * The RPCs about processes. A process lives as long as the request's timeout says, whether or not anybody listens: a
 * client that goes away can come back with Connect. RPCs without a function here answer "unimplemented".
 */
export function processService(
  settings: CurrentSettings,
  path: string,
  pipes: PipePool,
  table: ProcessTable,
  log: Log,
): Partial<ServiceImpl<typeof Process>> {
  const begin = async (config: ProcessConfig, stdin: boolean, tag: string | undefined, context: HandlerContext) => {
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
      if (request.pty) throw new ConnectError("terminals (pty) are not implemented", Code.Unimplemented);
      if (!request.process) throw new ConnectError("no process given", Code.InvalidArgument);
      yield* follow(await begin(request.process, request.stdin ?? true, request.tag, context), context);
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
      const process = table.get(request.process);
      const input = request.input?.input;
      if (input?.case === "pty") throw new ConnectError("terminals (pty) are not implemented", Code.Unimplemented);
      if (input?.case !== "stdin") throw new ConnectError("no input given", Code.InvalidArgument);
      await process.write(input.value);
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
