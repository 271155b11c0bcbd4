import { request } from "node:http";
import type { Socket } from "node:net";

/** Where the daemon listens inside every sandbox. */
export const daemonPort = 49983;

/** Opens a connection to the daemon's port. */
export type ConnectDaemon = (signal: AbortSignal) => Promise<Socket>;

export interface DaemonCall {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What is longer is cut. Default 2 KiB. */
  readonly maxAnswerBytes?: number;
}

/**
 * One request to a sandbox's daemon, on a connection of its own.
 * @throws what `connect` rejects with; the signal's reason on abort and after `timeoutMs`.
 */
export async function callDaemon(
  connect: ConnectDaemon,
  signal: AbortSignal,
  timeoutMs: number,
  { method, path, headers, body = "", maxAnswerBytes = 2_048 }: DaemonCall,
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
          if (text.length < maxAnswerBytes) text += chunk;
        });
        response.once("error", reject);
        response.once("end", () => resolve({ status: response.statusCode ?? 0, text: text.slice(0, maxAnswerBytes) }));
      });
      outgoing.end(body);
    });
  } finally {
    socket.destroy();
  }
}
