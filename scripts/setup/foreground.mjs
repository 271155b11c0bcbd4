import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Failure } from "./failure.mjs";
import { systemPath } from "./paths.mjs";

const passedOn = ["SIGINT", "SIGTERM", "SIGHUP"];
/** One Ctrl-C arrives twice here, from the terminal and passed on by npm, within a few milliseconds. */
const sameKeyPressMs = 500;

/**
 * Runs a program as if it were this one: same terminal and streams, its exit code is returned (128 + n for a signal).
 * The program is in a session of its own, so a Ctrl-C reaches it only through here, and once. If this process is killed
 * outright the program gets a SIGTERM from the kernel.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {object} options
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {boolean} [options.withChildren] whether the program's own children hear the signals too, as they would from a
 *   terminal: for programs that start others and leave it to them to end
 * @returns {Promise<number>}
 */
export async function runInForeground(file, args, { cwd, env, withChildren = false }) {
  const child = spawn("setpriv", ["--pdeathsig", "TERM", file, ...args], {
    cwd,
    env: { ...env, PATH: env?.PATH ?? systemPath() },
    stdio: "inherit",
    detached: true,
  });
  const lastSent = new Map();
  const handlers = passedOn.map((name) => {
    const handler = () => {
      const now = Date.now();
      if (now - (lastSent.get(name) ?? 0) < sameKeyPressMs) return;
      lastSent.set(name, now);
      if (withChildren) signalGroup(child.pid, name);
      else child.kill(name);
    };
    process.on(name, handler);
    return [name, handler];
  });
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", (error) => reject(new Failure(`Cannot run ${file}: ${error.message}`)));
      child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
    });
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler);
  }
}

function signalGroup(pid, name) {
  try {
    process.kill(-pid, name);
  } catch {
    // All of them have ended in the meantime.
  }
}
