import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Logger } from "@castellan/telemetry";
import type { NodeConfig, SupervisorMessage } from "./node-config.ts";

export interface SupervisionOptions {
  readonly config: NodeConfig;
  readonly logger: Logger;
  /** What the process runs. Default: a node. */
  readonly program?: string;
  readonly timing?: Partial<SupervisionTiming>;
  /** Told at every crash, with how many there have been without a steady run between them. */
  readonly onCrash?: (inARow: number) => void;
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
  backoffMs: 200,
  backoffMaxMs: 15_000,
  steadyMs: 30_000,
  stopMs: 45_000,
};

/** Beside this file, whether that is a source or was built. */
const nodeProgram = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./node-process.ts" : "./node-process.js", import.meta.url),
);

/** Credentials of the control plane and of clients: nothing of a node uses them, and sandboxes run below it. */
const notForNodes = new Set(["REDIS_URL", "E2B_API_KEY", "E2B_ACCESS_TOKEN"]);

function nodeEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !notForNodes.has(name)));
}

/** One node's process, kept running until it is told to stop. */
export interface SupervisedNode {
  readonly nodeId: string;
  /** How often it has ended without being told to. */
  crashes(): number;
  /**
   * Ends it, with its sandboxes or without. Resolves when the process is gone; it is killed when that takes too long.
   * @returns whether it ended by itself and without an error.
   */
  stop(how: { readonly stopSandboxes: boolean }): Promise<boolean>;
  /** Ends it at once; what it leaves is adopted or cleaned at its next start. */
  kill(): void;
}

/**
 * Starts a node's process and restarts it when it crashes; its sandboxes go on meanwhile, and the new process adopts
 * them. The process is in a session of its own, so that Ctrl-C reaches only its supervisor.
 */
export function superviseNode(options: SupervisionOptions): SupervisedNode {
  const { config, logger } = options;
  const { nodeId } = config;
  const timing = { ...defaultSupervisionTiming, ...options.timing };
  const program = options.program ?? nodeProgram;
  const stopping = new AbortController();
  let child = start();
  let crashes = 0;

  function start(): ChildProcess {
    const started = fork(program, [nodeId], {
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: nodeEnvironment(),
    });
    send(started, { kind: "start", config });
    return started;
  }

  async function keepRunning(): Promise<void> {
    let recentCrashes = 0;
    while (true) {
      const startedAt = performance.now();
      const ended = await endOf(child);
      if (stopping.signal.aborted) return;
      crashes += 1;
      recentCrashes = performance.now() - startedAt >= timing.steadyMs ? 1 : recentCrashes + 1;
      const restartInMs = Math.min(timing.backoffMs * 2 ** (recentCrashes - 1), timing.backoffMaxMs);
      logger.error({ nodeId, ...ended, restartInMs }, "node process ended; starting it again");
      options.onCrash?.(recentCrashes);
      await sleep(restartInMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      child = start();
    }
  }
  const running = keepRunning();

  return {
    nodeId,
    crashes: () => crashes,
    async stop({ stopSandboxes }) {
      stopping.abort();
      // It has crashed and its sandboxes run on: only a node can end them.
      if (hasEnded(child) && stopSandboxes) child = start();
      const ended = endOf(child);
      send(child, { kind: "stop", stopSandboxes });
      const timer = setTimeout(() => {
        logger.error({ nodeId, afterMs: timing.stopMs }, "node process does not stop; killing it");
        child.kill("SIGKILL");
      }, timing.stopMs);
      const { code } = await ended;
      clearTimeout(timer);
      await running;
      return code === 0;
    },
    kill() {
      stopping.abort();
      child.kill("SIGKILL");
    },
  };
}

/** A process that is gone cannot be told anything, which shows in its end. */
function send(child: ChildProcess, message: SupervisorMessage): void {
  if (child.connected) child.send(message, () => undefined);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  if (hasEnded(child)) return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
}
