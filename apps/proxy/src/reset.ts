import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Ends a connection so that the other side cannot take it for a clean end; TLS says the same by a missing goodbye. */
export function reset(stream: Duplex): void {
  // With everything handed over and the end on its way a reset is refused, and Node would never close the socket then;
  // the other side gets to see its end anyway.
  const ending = stream.writableEnded && stream.writableLength === 0;
  if (isPlainSocket(stream) && !ending) stream.resetAndDestroy();
  else stream.destroy();
}

function isPlainSocket(stream: Duplex): stream is Socket {
  return "resetAndDestroy" in stream && !("encrypted" in stream);
}
