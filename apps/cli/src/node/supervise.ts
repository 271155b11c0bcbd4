import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@castellan/telemetry";

/** How a node's process is started. */
export interface NodeCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** All in milliseconds. */
export interface SupervisionTiming {
  /** The pause after the first crash, doubled up to `backoffMaxMs`. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** A process that ran this long starts again without a memory of earlier crashes. */
  readonly steadyMs: number;
  /** From the request to stop until the process is killed. */
  readonly stopMs: number;
}

export const defaultSupervisionTiming: SupervisionTiming = {
  backoffMs: 500,
  backoffMaxMs: 15_000,
  steadyMs: 30_000,
  stopMs: 45_000,
};

/** One node's process, kept running until it is told to stop. */
export interface SupervisedNode {
  readonly nodeId: string;
  /** How often it has ended without being told to. */
  readonly crashes: number;
  /**
   * Ends it, with its sandboxes or without. Resolves when the process is gone; it is killed when that takes too long.
   * @returns whether it ended by itself and without an error.
   */
  stop(mode: "end-sandboxes" | "leave-sandboxes"): Promise<boolean>;
  /** Ends it at once; what it leaves is adopted or cleaned at its next start. */
  kill(): void;
}

/**
 * Starts a node's process and restarts it when it crashes; its sandboxes go on meanwhile, and the new process adopts
 * them. The process is in a group of its own, so that Ctrl-C reaches only its supervisor, and gets SIGTERM from the
 * kernel when the supervisor is killed, so that no node is left without one.
 */
export function superviseNode(
  nodeId: string,
  command: NodeCommand,
  logger: Logger,
  timing: SupervisionTiming = defaultSupervisionTiming,
): SupervisedNode {
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  let crashes = 0;
  let recentCrashes = 0;

  const start = (): ChildProcess =>
    spawn("setpriv", ["--pdeathsig", "TERM", command.file, ...command.args], {
      env: command.env,
      stdio: ["ignore", "ignore", "inherit"],
      detached: true,
    });

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      child = start();
      const ended = await endOf(child);
      if (stopping.signal.aborted) return;
      crashes += 1;
      recentCrashes = performance.now() - startedAt >= timing.steadyMs ? 1 : recentCrashes + 1;
      const pauseMs = Math.min(timing.backoffMs * 2 ** (recentCrashes - 1), timing.backoffMaxMs);
      logger.error({ nodeId, ...ended, restartInMs: pauseMs }, "node process ended; starting it again");
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();

  return {
    nodeId,
    get crashes() {
      return crashes;
    },
    async stop(mode) {
      stopping.abort();
      const last = child;
      if (last === undefined) return true;
      const ended = endOf(last);
      last.kill(mode === "end-sandboxes" ? "SIGINT" : "SIGTERM");
      const timer = setTimeout(() => {
        logger.error({ nodeId, afterMs: timing.stopMs }, "node process does not stop; killing it");
        last.kill("SIGKILL");
      }, timing.stopMs);
      const { code } = await ended;
      clearTimeout(timer);
      await running;
      return code === 0;
    },
    kill() {
      stopping.abort();
      child?.kill("SIGKILL");
    },
  };
}

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not even be started. */
  readonly error?: string;
}

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error: error.message });
    });
  });
}
