import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Ends a connection so that the other side cannot take it for a clean end; TLS says the same by a missing goodbye. */
export function reset(stream: Duplex): void {
  if (isPlainSocket(stream)) stream.resetAndDestroy();
  else stream.destroy();
}

function isPlainSocket(stream: Duplex): stream is Socket {
  return "resetAndDestroy" in stream && !("encrypted" in stream);
}
