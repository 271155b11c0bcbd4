import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { CastellanError } from "@castellan/domain";

export interface CommandOptions {
  readonly cwd?: string;
  /** What it works on: `endCommandsFor` finds it by this, also when the process that started it was killed. */
  readonly workingOn?: string;
  /** Called with every line of either stream. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Seconds until it is ended and the call fails. */
  readonly timeoutSeconds: number;
}

/** How long a command gets to clean up after SIGTERM before its whole process group is killed. */
const graceMs = 10_000;
const keptLines = 20;
/** The kernel's words, which LC_ALL keeps in English. */
export const noSpaceLeft = "No space left on device";

/**
 * Runs a host command to its end and returns what it printed to standard output.
 * It runs in a process group of its own: Ctrl-C does not reach it past us, and on abort it is asked first.
 * @throws `cancelled` on abort, `deadline_exceeded` after the time-out, `unavailable` when it fails; the message ends
 * with its last lines.
 */
export async function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { signal, timeoutSeconds, onLine } = options;
  if (signal?.aborted) throw new CastellanError("cancelled", `${file} was not started: cancelled`);
  const child = spawn(file, args, {
    cwd: options.cwd ?? "/",
    env: { ...commandEnvironment(), ...(options.workingOn === undefined ? {} : { [workVariable]: options.workingOn }) },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const lastLines: string[] = [];
  let output = "";
  // Tools go on for a while after it; what they complain about then is not the reason.
  let noSpace: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      if (line.includes(noSpaceLeft)) noSpace ??= line;
      if (stream === child.stdout) output += `${line}\n`;
      lastLines.push(line);
      if (lastLines.length > keptLines) lastLines.shift();
      onLine?.(line);
    });
  }

  const deadline = AbortSignal.timeout(timeoutSeconds * 1000);
  const stop = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  let killer: NodeJS.Timeout | undefined;
  const onStop = () => {
    // The whole group, as Ctrl-C would: mmdebstrap, for one, waits for its own child before it acts on a signal.
    signalGroup(child.pid, "SIGTERM");
    killer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), graceMs);
  };
  stop.addEventListener("abort", onStop, { once: true });
  try {
    const [code, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (...ending) => resolve(ending));
    });
    if (signal?.aborted) throw new CastellanError("cancelled", `${file} was cancelled`);
    if (deadline.aborted) {
      throw new CastellanError("deadline_exceeded", `${file} took longer than ${timeoutSeconds} seconds`);
    }
    if (code !== 0) {
      const how = killedBy === null ? `exit code ${code}` : killedBy;
      const said = noSpace === undefined || lastLines.includes(noSpace) ? lastLines : [noSpace, "…", ...lastLines];
      throw new CastellanError("unavailable", `${file} failed (${how}):\n${said.join("\n")}`);
    }
    return output;
  } catch (cause) {
    if (cause instanceof CastellanError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CastellanError("unavailable", `Cannot run ${file}: ${reason}`, { cause });
  } finally {
    clearTimeout(killer);
    stop.removeEventListener("abort", onStop);
  }
}

/** Kills the commands that an earlier, killed process left at work on `path` or below, and waits until they are gone. */
export async function endCommandsFor(path: string): Promise<void> {
  for (const deadline = performance.now() + 30_000; ; await sleep(20)) {
    const left = await commandsFor(path);
    if (left.length === 0) return;
    if (performance.now() > deadline) {
      throw new CastellanError("unavailable", `Processes ${left.join(", ")} still work on ${path}`);
    }
    for (const pid of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended in the meantime.
      }
    }
  }
}

async function commandsFor(path: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
    const work = environment.split("\0").find((entry) => entry.startsWith(`${workVariable}=`));
    if (work !== undefined && `${work.slice(workVariable.length + 1)}/`.startsWith(`${path}/`))
      found.push(Number(name));
  }
  return found;
}

const workVariable = "CASTELLAN_WORKING_ON";

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended in the meantime.
  }
}

/** Ours, with the places that a root shell opened by `su` lacks, and nothing that makes a tool ask or translate. */
function commandEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin`,
    LC_ALL: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
  };
}
