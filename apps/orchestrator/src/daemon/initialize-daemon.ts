import { request } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CastellanError, hasCode } from "@castellan/domain";

/** Where the daemon listens inside every sandbox. */
export const daemonPort = 49983;

export interface DaemonSettings {
  /** Proves to the daemon that it is the node that talks. */
  readonly secret: string;
  readonly envVars: Readonly<Record<string, string>>;
  /** Absent: clients need no token. */
  readonly accessToken?: string;
}

/** Opens a connection to the daemon's port. */
export type ConnectDaemon = (signal: AbortSignal) => Promise<Socket>;

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
  const answer = await call(connect, signal, initMs, {
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
const keptAnswerBytes = 2_048;

async function untilHealthy(connect: ConnectDaemon, signal: AbortSignal): Promise<void> {
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.3, longestPauseMs)) {
    try {
      const answer = await call(connect, signal, attemptMs, { method: "GET", path: "/health", headers: {} });
      if (isSuccess(answer.status)) return;
    } catch (error) {
      // Anything else is a daemon that does not listen yet.
      signal.throwIfAborted();
      if (hasCode(error, "not_found")) throw error;
    }
    await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function call(
  connect: ConnectDaemon,
  signal: AbortSignal,
  timeoutMs: number,
  { method, path, headers, body = "" }: Call,
): Promise<{ status: number; text: string }> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const socket = await connect(limited);
  try {
    return await new Promise((resolve, reject) => {
      const outgoing = request({
        // Without an agent: one would make a connection of its own.
        createConnection: () => socket,
        host: "sandbox",
        method,
        path,
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
        signal: limited,
      });
      outgoing.once("error", reject);
      outgoing.once("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          if (text.length < keptAnswerBytes) text += chunk;
        });
        response.once("error", reject);
        response.once("end", () => resolve({ status: response.statusCode ?? 0, text: text.slice(0, keptAnswerBytes) }));
      });
      outgoing.end(body);
    });
  } finally {
    socket.destroy();
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
