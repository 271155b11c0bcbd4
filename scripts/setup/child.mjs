import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * Runs a program to its end and keeps what it said. It has a process group of its own, so a Ctrl-C in the terminal
 * reaches it only through `signal`, and then as one SIGINT: package tools finish what must not be cut in half.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {object} [options]
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {AbortSignal} [options.signal]
 * @param {(line: string) => void} [options.onLine] every line of either stream
 * @param {(line: string) => void} [options.onStatus] every line that it writes to descriptor 3
 * @param {number} [options.keep] how many of its last lines to return as `output`, 30 by default
 * @returns {Promise<{ok: boolean, output: string, stdout: string}>} `output` is the end of what it said
 */
export async function run(file, args, { cwd, env, signal, onLine, onStatus, keep = 30 } = {}) {
  signal?.throwIfAborted();
  const child = spawn(file, args, {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe", ...(onStatus ? ["pipe"] : [])],
    detached: true,
  });
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
  const interrupt = () => child.kill("SIGINT");
  signal?.addEventListener("abort", interrupt, { once: true });
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
    signal?.removeEventListener("abort", interrupt);
  }
}
