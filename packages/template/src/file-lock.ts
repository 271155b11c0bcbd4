import { spawn } from "node:child_process";
import { once } from "node:events";
import { CastellanError } from "@castellan/domain";

/** A lock that is held until released, or until this process ends in any way. */
export interface FileLock {
  release(): Promise<void>;
}

/**
 * Takes the advisory lock on `path`, creating the file when missing. `flock` holds it as long as its input, a pipe from
 * this process, is open: the kernel closes that also after a `kill -9`, so no lock is ever left behind.
 *
 * @param onWait called once when somebody else has it.
 * @throws `cancelled` when the signal aborts first; `unavailable` when `flock` cannot be run or the file not be opened.
 */
export async function lockFile(path: string, signal?: AbortSignal, onWait?: () => void): Promise<FileLock> {
  const quick = await tryLock(path, ["--nonblock"], signal);
  if (quick !== undefined) return quick;
  onWait?.();
  const patient = await tryLock(path, [], signal);
  if (patient === undefined) throw new CastellanError("unavailable", `Cannot lock ${path}`);
  return patient;
}

async function tryLock(path: string, options: readonly string[], signal?: AbortSignal): Promise<FileLock | undefined> {
  if (signal?.aborted) throw cancelled();
  // Detached: Ctrl-C in a terminal reaches the whole process group, and the lock must outlive the clean-up after it.
  const holder = spawn("flock", [...options, "--conflict-exit-code", "75", path, "sh", "-c", "echo locked && cat"], {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const ended = once(holder, "close");
  // It may have ended by itself when we let go.
  holder.stdin.on("error", () => undefined);
  let complaint = "";
  holder.stderr.on("data", (text: Buffer) => {
    complaint = `${complaint}${text}`.slice(0, 500);
  });
  const abort = () => holder.kill();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const outcome = await Promise.race([
      once(holder.stdout, "data").then(() => "locked" as const),
      ended.then(([code]: unknown[]) => code),
    ]);
    if (outcome === "locked") {
      return {
        release: async () => {
          holder.stdin.end();
          await ended;
        },
      };
    }
    if (signal?.aborted) throw cancelled();
    if (outcome === 75) return undefined;
    throw new Error(complaint.trim() || `flock ended with ${String(outcome)}`);
  } catch (cause) {
    if (cause instanceof CastellanError) throw cause;
    throw new CastellanError("unavailable", `Cannot lock ${path}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function cancelled(): CastellanError {
  return new CastellanError("cancelled", "Cancelled while waiting for a lock");
}
