import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { existsSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import type { Writable } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Account } from "../accounts.ts";
import { errorCode } from "../filesystem/failure.ts";
import type { Source } from "./output.ts";
import type { PipePool } from "./pipes.ts";
import { openTerminal, type Terminal, type TerminalSize } from "./terminal.ts";

/** What to start, as whom. `cwd` is absolute. */
export interface Command {
  readonly cmd: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly account: Account;
  /** Whether the command gets a standard input that can be written to, instead of an empty one. */
  readonly stdin: boolean;
  /** A terminal for all three standard streams, instead of pipes. */
  readonly terminal?: TerminalSize | undefined;
}

/** A command that runs, with the daemon's ends of its standard streams. */
export interface Launched {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly outputs: readonly Source[];
  readonly input: Writable | undefined;
  readonly terminal?: Terminal;
}

/**
 * Starts a command as its user, with the user's groups, in a session of its own.
 *
 * @throws ConnectError invalid_argument when directory, program or arguments are at fault, permission_denied when this
 * daemon may not act as that user, failed_precondition when the sandbox is at its limit of processes or memory.
 */
export async function launch(command: Command, pipes: PipePool): Promise<Launched> {
  check(command);
  try {
    const launched = await (command.terminal
      ? launchInTerminal(command, command.terminal)
      : launchOnPipes(command, pipes));
    yieldMemoryFirst(launched.pid);
    return launched;
  } catch (error) {
    throw launchFailure(command, error);
  }
}

async function launchOnPipes(command: Command, pipes: PipePool): Promise<Launched> {
  const stdout = await pipes.openOutput();
  const stderr = stdout && (await pipes.openOutput());
  const stdin = stderr && command.stdin ? await pipes.openInput() : undefined;
  const named = stdout && stderr && (stdin || !command.stdin) ? { stdout, stderr, stdin } : undefined;
  const opened = [stdout, stderr, stdin].filter((pipe) => pipe !== undefined);
  const release = () => {
    for (const pipe of opened) pipe.stream.destroy();
  };
  if (!named) release();

  try {
    const { child, pid } = await start(asUser(command), command.cwd, true, [
      command.stdin ? (named?.stdin?.childEnd ?? "pipe") : "ignore",
      named?.stdout.childEnd ?? "pipe",
      named?.stderr.childEnd ?? "pipe",
    ]);
    const streams = named
      ? { stdout: named.stdout.stream, stderr: named.stderr.stream, stdin: named.stdin?.stream }
      : { stdout: child.stdout, stderr: child.stderr, stdin: child.stdin ?? undefined };
    if (!streams.stdout || !streams.stderr) throw new Error("the command has no output streams");
    const outputs = [
      { kind: "stdout", stream: streams.stdout },
      { kind: "stderr", stream: streams.stderr },
    ] as const;
    return { child, pid, outputs, input: streams.stdin };
  } catch (error) {
    release();
    throw error;
  } finally {
    for (const pipe of opened) pipe.closeChildEnd();
  }
}

/** The terminal becomes the controlling one of the command's session, so that Ctrl-C and job control work. */
async function launchInTerminal(command: Command, size: TerminalSize): Promise<Launched> {
  const setsid = ["/usr/bin/setsid", "/bin/setsid"].find((path) => existsSync(path));
  if (!setsid) throw new ConnectError("terminals need the program setsid in the sandbox", Code.FailedPrecondition);
  const { file, args, ...rest } = asUser(command);
  const terminal = openTerminal(size, command.account.uid);
  try {
    // Not detached: it makes the session itself, and would do so in another process if it led a group already.
    const invocation = { file: setsid, args: ["-c", "--", file, ...args], ...rest };
    const { childEnd, screen, keyboard } = terminal;
    const { child, pid } = await start(invocation, command.cwd, false, [childEnd, childEnd, childEnd]);
    return { child, pid, outputs: [{ kind: "pty", stream: screen }], input: keyboard, terminal };
  } catch (error) {
    terminal.destroy();
    throw error;
  } finally {
    terminal.closeChildEnd();
  }
}

async function start(
  { file, args, env, uid, gid }: Invocation,
  cwd: string,
  detached: boolean,
  stdio: StdioOptions,
): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn(file, args, {
    cwd,
    env,
    detached,
    stdio,
    ...(uid !== undefined && gid !== undefined && { uid, gid }),
  });
  const pid = child.pid;
  if (pid === undefined) throw await new Promise((resolve) => child.once("error", resolve));
  // Sending a signal may fail later on; nobody else listens.
  child.on("error", () => {});
  return { child, pid };
}

/** When the sandbox runs out of memory the kernel is to take from commands before it takes the daemon. */
function yieldMemoryFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "500");
  } catch {
    // Gone already, or set higher by whoever runs the sandbox.
  }
}

/** Says in words what `spawn` would only report as a missing file, be it the directory or the program. */
function check({ cmd, args, cwd, env }: Command): void {
  const invalid = (message: string) => new ConnectError(message, Code.InvalidArgument);
  if (cmd === "") throw invalid("no command given");
  if ([cmd, ...args].some((part) => part.includes("\0"))) throw invalid("command or arguments hold a NUL byte");
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || name.includes("=") || name.includes("\0") || value.includes("\0")) {
      throw invalid(`environment variable ${JSON.stringify(name)} has an invalid name or value`);
    }
  }
  const directory = statSync(cwd, { throwIfNoEntry: false });
  if (!directory) throw invalid(`cwd '${cwd}' does not exist`);
  if (!directory.isDirectory()) throw invalid(`cwd '${cwd}' is not a directory`);
  const places = cmd.includes("/")
    ? [posix.resolve(cwd, cmd)]
    : (env["PATH"] ?? "").split(":").map((place) => posix.resolve(cwd, place, cmd));
  if (!places.some(isExecutable)) {
    throw invalid(
      cmd.includes("/") ? `command '${cmd}' is not an executable file` : `command '${cmd}' was not found in PATH`,
    );
  }
}

function isExecutable(path: string): boolean {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true && (stats.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

interface Invocation {
  readonly file: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * How to run the command as its user. `spawn` with uid and gid drops the supplementary groups, without which sudo does
 * not know its group and shared directories stay closed; a user who has some is switched to by setpriv, which replaces
 * itself with the command and so keeps its pid.
 */
function asUser({ cmd, args, env, account }: Command): Invocation {
  const plain = { file: cmd, args: [...args], env: { ...env } };
  const own = process.getuid?.();
  if (own === account.uid) return plain;
  if (own !== 0) throw new ConnectError(`this daemon cannot act as user '${account.name}'`, Code.PermissionDenied);
  if (account.groups.length === 0 || !hasSetpriv()) return { ...plain, uid: account.uid, gid: account.gid };

  // The loader's variables are the command's affair: setpriv, still root, must not load a library of the user's.
  const isLoaders = (name: string) => name.startsWith("LD_") || name === "GLIBC_TUNABLES";
  const forLoader = Object.entries(env).filter(([name]) => isLoaders(name));
  const identity = [
    "--reuid",
    account.uid,
    "--regid",
    account.gid,
    "--groups",
    [account.gid, ...account.groups].join(),
  ];
  return {
    file: setpriv,
    args: [
      ...identity.map(String),
      "--",
      ...(forLoader.length > 0 ? ["env", ...forLoader.map((pair) => pair.join("="))] : []),
      cmd,
      ...args,
    ],
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !isLoaders(name))),
  };
}

const setpriv = "/usr/bin/setpriv";

/** Busybox has a command of that name that cannot change users. */
function hasSetpriv(): boolean {
  return existsSync(setpriv) && posix.basename(realpathSync(setpriv)) === "setpriv";
}

/** Limits of the sandbox are no "resource_exhausted": clients read that as a rate limit that passes by waiting. */
function launchFailure({ cmd }: Command, error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const fail = (reason: string, code: Code) =>
    new ConnectError(`cannot start '${cmd}': ${reason}`, code, undefined, undefined, error);
  switch (errorCode(error)) {
    case "E2BIG":
      return fail("arguments and environment are too large", Code.InvalidArgument);
    case "ENOENT":
      return fail("no such file or directory", Code.InvalidArgument);
    case "EACCES":
    case "EPERM":
      return fail("permission denied", Code.InvalidArgument);
    case "ENOEXEC":
      return fail("not an executable format", Code.InvalidArgument);
    case "EAGAIN":
      return fail("the sandbox has reached its limit of processes", Code.FailedPrecondition);
    case "ENOMEM":
      return fail("the sandbox is out of memory", Code.FailedPrecondition);
    case "ENOSPC":
      return fail("the sandbox has reached its limit of terminals", Code.FailedPrecondition);
    case "EMFILE":
    case "ENFILE":
      return fail("too many open files", Code.FailedPrecondition);
    default:
      return fail("unexpected error", Code.Internal);
  }
}
