import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How long a program may clean up after it was asked to end. */
const graceMs = 20_000;

/**
 * Runs a program to its end and keeps what it said. It has a process group of its own, so a Ctrl-C in the terminal
 * reaches it only through `signal`: then it is asked to end, and killed with its children when it does not.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {object} [options]
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {AbortSignal} [options.signal]
 * @param {(pid: number) => void} [options.onStart] told the process, which leads its group
 * @param {(line: string) => void} [options.onLine] every line of either stream
 * @param {(line: string) => void} [options.onStatus] every line that it writes to descriptor 3
 * @param {boolean} [options.unkillable] never kill it and let it end when it can, after one SIGINT: half-installed
 *   packages are worse than a wait
 * @param {number} [options.timeoutMs] when to end it as on abort; the result is then not ok
 * @param {number} [options.keep] how many of its last lines to return as `output`, 30 by default
 * @returns {Promise<{ok: boolean, output: string, stdout: string}>} `output` is the end of what it said
 */
export async function run(
  file,
  args,
  { cwd, env, signal, onStart, onLine, onStatus, unkillable = false, timeoutMs, keep = 30 } = {},
) {
  signal?.throwIfAborted();
  const child = spawn(file, args, {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe", ...(onStatus ? ["pipe"] : [])],
    detached: true,
  });
  if (child.pid !== undefined) onStart?.(child.pid);
  const last = [];
  let stdout = "";
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      if (stream === child.stdout) stdout += `${line}\n`;
      last.push(line);
      if (last.length > keep) last.shift();
      onLine?.(line);
    });
  }
  if (onStatus) createInterface({ input: child.stdio[3] }).on("line", onStatus);
  let killer;
  let deadline;
  const interrupt = () => {
    child.kill(unkillable ? "SIGINT" : "SIGTERM");
    if (!unkillable) killer = setTimeout(() => killGroup(child.pid), graceMs);
  };
  signal?.addEventListener("abort", interrupt, { once: true });
  if (timeoutMs !== undefined) {
    deadline = setTimeout(() => {
      last.push(`${file} took longer than ${timeoutMs / 1000} seconds`);
      interrupt();
    }, timeoutMs);
  }
  try {
    const ok = await new Promise((resolve) => {
      child.once("error", (error) => {
        last.push(error.message);
        resolve(false);
      });
      child.once("close", (code) => resolve(code === 0));
    });
    signal?.throwIfAborted();
    return { ok, output: last.join("\n"), stdout };
  } finally {
    clearTimeout(deadline);
    clearTimeout(killer);
    signal?.removeEventListener("abort", interrupt);
  }
}

function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended in the meantime.
  }
}
