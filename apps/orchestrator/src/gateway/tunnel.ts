import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface Tunnel {
  /** Settles when both directions have ended; never rejects. */
  readonly closed: Promise<void>;
  /** Destroys both ends at once. */
  cut(): void;
}

/**
 * Carries bytes both ways between two connections until both directions have ended. One side's end of writing reaches
 * the other as such while the opposite direction goes on. A failure or a cut is a reset to both: a plain end would look
 * like a complete answer to whoever reads until the end.
 */
export function joinSockets(client: Duplex, sandbox: Duplex): Tunnel {
  for (const socket of [client, sandbox]) {
    if (socket instanceof Socket) socket.setNoDelay(true);
    // The pipelines see every error that matters; one that comes after them must not end the process.
    socket.on("error", () => undefined);
  }
  const cut = () => {
    reset(client);
    reset(sandbox);
  };
  const closed = Promise.all([pipeline(client, sandbox), pipeline(sandbox, client)]).then(
    () => undefined,
    () => cut(),
  );
  return { closed, cut };
}

function reset(socket: Duplex): void {
  if (socket instanceof Socket) socket.resetAndDestroy();
  else socket.destroy();
}
