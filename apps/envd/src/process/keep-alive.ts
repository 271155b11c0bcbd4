const headerName = "keepalive-ping-interval";
const standardSeconds = 90;

/** Milliseconds without data after which a stream sends a sign of life: the request's header, in seconds, or 90 s. */
export function keepAliveInterval(header: Headers): number {
  const text = header.get(headerName) ?? "";
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return (seconds || standardSeconds) * 1000;
}
