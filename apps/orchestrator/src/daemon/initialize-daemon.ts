import { setTimeout as sleep } from "node:timers/promises";
import { CastellanError, hasCode } from "@castellan/domain";
import { type ConnectDaemon, callDaemon } from "./call.ts";

export interface DaemonSettings {
  /** Proves to the daemon that it is the node that talks. */
  readonly secret: string;
  readonly envVars: Readonly<Record<string, string>>;
  /** Absent: clients need no token. */
  readonly accessToken?: string;
}

/**
 * Waits until the daemon listens and gives it its settings.
 * @throws `not_found` when the execution is gone, `internal` when the daemon refuses; the signal's reason on abort.
 */
export async function initializeDaemon(
  connect: ConnectDaemon,
  settings: DaemonSettings,
  signal: AbortSignal,
): Promise<void> {
  await untilHealthy(connect, signal);
  const body = JSON.stringify({
    envVars: settings.envVars,
    ...(settings.accessToken === undefined ? {} : { accessToken: settings.accessToken }),
    timestamp: new Date().toISOString(),
    defaultUser: "user",
  });
  const answer = await callDaemon(connect, signal, initMs, {
    method: "POST",
    path: "/init",
    headers: { authorization: `Bearer ${settings.secret}`, "content-type": "application/json" },
    body,
  });
  if (!isSuccess(answer.status)) {
    throw new CastellanError("internal", `The sandbox's daemon refused its settings (status ${answer.status})`, {
      cause: new Error(answer.text),
    });
  }
}

const attemptMs = 1_000;
const initMs = 5_000;
const firstPauseMs = 3;
const longestPauseMs = 50;

async function untilHealthy(connect: ConnectDaemon, signal: AbortSignal): Promise<void> {
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.3, longestPauseMs)) {
    try {
      const answer = await callDaemon(connect, signal, attemptMs, { method: "GET", path: "/health", headers: {} });
      if (isSuccess(answer.status)) return;
    } catch (error) {
      // Anything else is a daemon that does not listen yet.
      signal.throwIfAborted();
      if (hasCode(error, "not_found")) throw error;
    }
    await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
