import { Socket } from "node:net";
import type { Duplex } from "node:stream";

export interface Tunnel {
  /** Settles when both connections have closed; never rejects. */
  readonly closed: Promise<void>;
  /** Resets both connections. */
  cut(): void;
}

/**
 * Carries bytes both ways between two connections until both directions have ended, at the pace of the slower reader.
 * One side's end of sending reaches the other as such while the opposite direction goes on. A failure or a cut is a
 * reset to both: a plain end would look like a complete answer to whoever reads until the end.
 */
export function joinSockets(client: Duplex, sandbox: Duplex): Tunnel {
  const cut = () => {
    reset(client);
    reset(sandbox);
  };
  const closed = Promise.all(
    [client, sandbox].map((socket) => {
      if (socket instanceof Socket) socket.setNoDelay(true);
      return new Promise<void>((resolve) => {
        socket.once("error", cut);
        socket.once("close", () => {
          // With both directions at their end the other connection closes by itself, once it has sent what it holds.
          if (!socket.readableEnded || !socket.writableFinished) cut();
          resolve();
        });
      });
    }),
  ).then(() => undefined);
  // Not `pipeline`: on a failure it closes both in the orderly way before anybody can reset them.
  client.pipe(sandbox);
  sandbox.pipe(client);
  return { closed, cut };
}

function reset(socket: Duplex): void {
  // With everything handed over and the end on its way a reset is refused, and Node would never close the socket then;
  // the other side gets to see its end anyway.
  const ending = socket.writableEnded && socket.writableLength === 0;
  if (socket instanceof Socket && !ending) socket.resetAndDestroy();
  else socket.destroy();
}
