import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "./failure.mjs";
import { stateDirectory, systemPath } from "./paths.mjs";
import { note } from "./steps.mjs";

/**
 * Runs `work` while no other set-up of this clone does. `flock` holds the lock as long as its input, a pipe from this
 * process, is open: it is free again however this process ends.
 */
export async function exclusively(work, signal) {
  await mkdir(stateDirectory, { recursive: true });
  const path = join(stateDirectory, "setup.lock");
  const holder = (await take(path, ["--nonblock"], signal)) ?? (await wait(path, signal));
  try {
    return await work();
  } finally {
    holder.stdin.end();
    if (holder.exitCode === null && holder.signalCode === null) await once(holder, "close");
  }
}

async function wait(path, signal) {
  note("Another set-up of this clone is running; waiting for it …");
  return await take(path, [], signal);
}

async function take(path, options, signal) {
  signal?.throwIfAborted();
  const holder = spawn("flock", [...options, "--conflict-exit-code", "75", path, "sh", "-c", "echo locked && cat"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, PATH: systemPath() },
    // Ctrl-C goes to the whole process group, and the lock is to outlive the clean-up after it.
    detached: true,
  });
  holder.stdin.on("error", () => undefined);
  const abort = () => holder.kill();
  signal?.addEventListener("abort", abort, { once: true });
  const ended = new Promise((resolve) => {
    holder.once("error", (error) => resolve(error.message));
    holder.once("close", (code) => resolve(code));
  });
  const outcome = await Promise.race([once(holder.stdout, "data").then(() => "locked"), ended]);
  signal?.removeEventListener("abort", abort);
  if (outcome === "locked") return holder;
  signal?.throwIfAborted();
  if (outcome === 75) return undefined;
  throw new Failure(`Cannot lock ${path}: ${outcome}`);
}
