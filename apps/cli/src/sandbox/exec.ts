import type { Readable, Writable } from "node:stream";
import { Process, Signal } from "@castellan/contracts/process";
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Failure } from "../failure.ts";
import { printable } from "../terminal/printable.ts";
import { execBrokenPipe, execFailed, execTimedOut, exitCodeOf } from "./exit-code.ts";
import { OutputPipe } from "./output-pipe.ts";

/** A sandbox's daemon as the edge reaches it. */
export interface SandboxTarget {
  /** Origin that takes sandbox traffic. */
  readonly url: string;
  readonly sandboxId: string;
  /** For a secure sandbox. */
  readonly accessToken?: string | undefined;
}

export interface ExecRequest {
  /** The program and its arguments, exactly as they are to arrive. */
  readonly command: readonly string[];
  /** Default: the daemon's own default, `user`. */
  readonly user?: string | undefined;
  readonly cwd?: string | undefined;
  readonly envs: Readonly<Record<string, string>>;
  /** Milliseconds after which the daemon ends the process. Default: no limit. */
  readonly timeoutMs?: number | undefined;
}

export interface ExecStreams {
  /** Absent: the process gets an empty input. */
  readonly stdin?: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Calls the listener at each request to stop (Ctrl-C, SIGTERM); returns how to stop listening. */
  onInterrupt(listener: () => void): () => void;
}

const envdPort = 49983;
/** Milliseconds for the process to start, and for each message of input. */
const answerWithin = 30_000;

/**
 * Runs a command in a sandbox, with its input and output connected to `streams`. The first request to stop becomes a
 * SIGTERM in the sandbox, further ones SIGKILL.
 * @returns its exit code; 128 and the signal's number when a signal ended it; 141 when nobody reads its output any more.
 * @throws Failure with exit code 255 when it did not start or the connection was lost, 124 at its time limit.
 */
export async function execInSandbox(
  target: SandboxTarget,
  request: ExecRequest,
  streams: ExecStreams,
): Promise<number> {
  const client = createClient(Process, transportTo(target, request));
  const stdout = new OutputPipe(streams.stdout);
  const stderr = new OutputPipe(streams.stderr);
  const ended = new AbortController();
  const startDeadline = new AbortController();
  const timer = setTimeout(() => startDeadline.abort(), answerWithin);
  let running: RunningProcess | undefined;
  let stopListening = (): void => undefined;
  try {
    const events = client.start(startMessage(request, streams.stdin !== undefined), {
      signal: AbortSignal.any([startDeadline.signal, ended.signal]),
      ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
    });
    for await (const { event } of events) {
      if (event?.event.case === "start") {
        clearTimeout(timer);
        running = new RunningProcess(client, event.event.value.pid, ended.signal);
        stopListening = streams.onInterrupt(running.interrupter());
        if (streams.stdin !== undefined) void running.feed(streams.stdin, stderr);
      } else if (event?.event.case === "data") {
        const { output } = event.event.value;
        if (output.case === undefined) continue;
        if (await (output.case === "stderr" ? stderr : stdout).write(output.value)) continue;
        // What a process gets that writes to a closed pipe; across the network it cannot notice by itself.
        await running?.signal(Signal.SIGTERM);
        return execBrokenPipe;
      } else if (event?.event.case === "end") {
        const { error, status } = event.event.value;
        // It often repeats what the exit code says.
        if (error !== undefined && error !== "" && error !== status)
          await stderr.write(`castellan: ${printable(error)}\n`);
        return exitCodeOf(event.event.value);
      }
    }
    throw lost();
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (startDeadline.signal.aborted) {
      const message = `The command did not start within ${answerWithin / 1000} s.`;
      throw new Failure(message, { exitCode: execFailed, cause: error });
    }
    throw running === undefined ? notStarted(error, target) : interrupted(error, request);
  } finally {
    clearTimeout(timer);
    stopListening();
    ended.abort();
  }
}

function transportTo(target: SandboxTarget, request: ExecRequest): Transport {
  const headers: Interceptor = (next) => (call) => {
    call.header.set("E2b-Sandbox-Id", target.sandboxId);
    call.header.set("E2b-Sandbox-Port", String(envdPort));
    if (target.accessToken !== undefined) call.header.set("X-Access-Token", target.accessToken);
    if (request.user !== undefined) {
      call.header.set("Authorization", `Basic ${Buffer.from(`${request.user}:`).toString("base64")}`);
    }
    return next(call);
  };
  return createConnectTransport({ baseUrl: target.url, httpVersion: "1.1", interceptors: [headers] });
}

function startMessage(request: ExecRequest, stdin: boolean) {
  // A login shell gives the PATH that commands through the SDK have; "$@" keeps every argument as it is.
  const args = ["-l", "-c", 'exec "$@"', "bash", ...request.command];
  const cwd = request.cwd === undefined ? {} : { cwd: request.cwd };
  return { process: { cmd: "/bin/bash", args, envs: { ...request.envs }, ...cwd }, stdin };
}

/** What can be done to a process once it has a pid. */
class RunningProcess {
  readonly #client: Client<typeof Process>;
  readonly #selector: { readonly selector: { readonly case: "pid"; readonly value: number } };
  readonly #ended: AbortSignal;

  constructor(client: Client<typeof Process>, pid: number, ended: AbortSignal) {
    this.#client = client;
    this.#selector = { selector: { case: "pid", value: pid } };
    this.#ended = ended;
  }

  /** A process that has ended meanwhile needs no signal, and that it did shows in its events. */
  async signal(signal: Signal): Promise<void> {
    await this.#client
      .sendSignal({ process: this.#selector, signal }, { timeoutMs: 5_000 })
      .catch((error: unknown) => error);
  }

  interrupter(): () => void {
    let asked = false;
    return () => {
      void this.signal(asked ? Signal.SIGKILL : Signal.SIGTERM);
      asked = true;
    };
  }

  /** Sends what arrives, in order, then the end of it; stops when the process has ended. */
  async feed(stdin: Readable, stderr: OutputPipe): Promise<void> {
    const stop = (): void => {
      stdin.destroy();
    };
    this.#ended.addEventListener("abort", stop, { once: true });
    const options = () => ({ signal: this.#ended, timeoutMs: answerWithin });
    try {
      for await (const chunk of stdin) {
        const value: Uint8Array = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
        await this.#client.sendInput(
          { process: this.#selector, input: { input: { case: "stdin", value } } },
          options(),
        );
      }
      await this.#client.closeStdin({ process: this.#selector }, options());
    } catch (error) {
      // A process need not read its input to the end.
      if (this.#ended.aborted || isGone(error)) return;
      await stderr.write(`castellan: input was not delivered: ${printable(messageOf(error))}\n`);
    } finally {
      this.#ended.removeEventListener("abort", stop);
    }
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ConnectError && (error.code === Code.NotFound || error.code === Code.FailedPrecondition);
}

function notStarted(error: unknown, target: SandboxTarget): Failure {
  const details = { exitCode: execFailed, cause: error };
  const code = error instanceof ConnectError ? error.code : undefined;
  if (code === Code.Unauthenticated) {
    return new Failure(`Sandbox ${target.sandboxId} refused the access token.`, details);
  }
  if (code === Code.Unavailable) {
    const fix = "Look at `castellan sandbox ls`, and at E2B_SANDBOX_URL.";
    return new Failure(`Sandbox ${target.sandboxId} was not found, or ${target.url} does not answer.`, {
      ...details,
      fix,
    });
  }
  return new Failure(`The command did not start: ${printable(messageOf(error))}`, details);
}

function interrupted(error: unknown, request: ExecRequest): Failure {
  if (request.timeoutMs !== undefined && error instanceof ConnectError && error.code === Code.DeadlineExceeded) {
    const message = `The command was ended after ${request.timeoutMs / 1000} s.`;
    return new Failure(message, { exitCode: execTimedOut, cause: error });
  }
  return lost(error);
}

function lost(cause?: unknown): Failure {
  const message = "The connection to the sandbox was lost; the sandbox may have ended.";
  return new Failure(message, { exitCode: execFailed, cause });
}

function messageOf(error: unknown): string {
  if (error instanceof ConnectError) return error.rawMessage;
  return error instanceof Error ? error.message : String(error);
}
