import { spawn } from "node:child_process";
import { CastellanError } from "@castellan/domain";

export interface CommandOptions {
  /** Text for standard input; none by default. */
  readonly input?: string;
  /** Milliseconds until it is killed. Default 30,000. */
  readonly timeoutMs?: number;
  /** Aborting kills it. */
  readonly signal?: AbortSignal;
  /** `discard` gives it no pipe, for commands whose children outlive them. Default `capture`. */
  readonly output?: "capture" | "discard";
}

/** Runs a host program without a shell and resolves with its standard output. */
export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<string>;

/** The variable by which `recover` finds programs that outlived the node process which started them. */
export const ownerVariable = "CASTELLAN_RUNTIME";

const outputLimit = 16 * 1024 * 1024;

/**
 * Commands that carry `stateDir` in their environment.
 * A command fails with `internal`, `deadline_exceeded` or `cancelled`; its standard error is in the cause.
 */
export function commandsOf(stateDir: string): RunCommand {
  const env = commandEnvironment(stateDir);
  return (program, args, options = {}) => runCommand(env, program, args, options);
}

/** What host programs see of the environment. */
export function commandEnvironment(stateDir: string): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LC_ALL: "C",
    [ownerVariable]: stateDir,
  };
}

function runCommand(
  env: Record<string, string>,
  program: string,
  args: readonly string[],
  { input, timeoutMs = 30_000, signal, output = "capture" }: CommandOptions,
): Promise<string> {
  if (signal?.aborted) return Promise.reject(cancelled(program));
  return new Promise((resolve, reject) => {
    const pipe = output === "capture" ? "pipe" : "ignore";
    const child = spawn(program, args, { env, stdio: [input === undefined ? "ignore" : "pipe", pipe, pipe] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let received = 0;
    let failure: CastellanError | undefined;
    const fail = (error: CastellanError) => {
      failure ??= error;
      child.kill("SIGKILL");
    };
    const collect = (chunks: Buffer[]) => (chunk: Buffer) => {
      received += chunk.length;
      if (received > outputLimit) fail(new CastellanError("internal", `${program} printed too much`));
      else chunks.push(chunk);
    };
    const onAbort = () => fail(cancelled(program));
    const timer = setTimeout(
      () => fail(new CastellanError("deadline_exceeded", `${program} took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };

    child.stdout?.on("data", collect(stdout));
    child.stderr?.on("data", collect(stderr));
    // A program that ends without reading its input breaks the pipe; its exit code says what happened.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    child.on("error", (cause) => {
      settle();
      reject(failure ?? new CastellanError("internal", `${program} could not be run`, { cause }));
    });
    child.on("close", (code, killedBy) => {
      settle();
      if (failure === undefined && code === 0) return resolve(Buffer.concat(stdout).toString());
      const said = Buffer.concat(stderr).toString().trim().slice(-2000);
      const ending = code === null ? `was killed by ${killedBy}` : `ended with ${code}`;
      const cause = new Error(`${program} ${args.join(" ")} ${ending}: ${said}`);
      reject(failure ?? new CastellanError("internal", `${program} failed`, { cause }));
    });
  });
}

function cancelled(program: string): CastellanError {
  return new CastellanError("cancelled", `${program} was cancelled`);
}
