import type { Reading } from "./client-hello.ts";

/** The head of a request with all its fields. */
export const longestHead = 16 * 1024;

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const requestLine = new RegExp(`^${token} (/[\\x21-\\x7e]*|\\*) HTTP/1\\.[01]$`);
const field = new RegExp(`^(${token}):[ \\t]*([\\x20-\\x7e\\t\\x80-\\xff]*?)[ \\t]*$`);

/**
 * Reads the host of an HTTP/1 request that comes over port 80. The server is told to close after its answer, because a
 * second request on the same connection could name another host; only a WebSocket may go on. What servers could read in
 * two ways is refused.
 */
export function readRequestHead(bytes: Buffer): Reading {
  const end = bytes.subarray(0, longestHead).indexOf("\r\n\r\n");
  if (end < 0) {
    if (bytes.length >= longestHead) return refused("the head of the request is too long");
    // Whoever speaks something else does not get to say much of it.
    return /^[A-Z]*$/.test(bytes.toString("latin1", 0, 3)) ? { kind: "more" } : refused("not HTTP");
  }
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  if (!requestLine.test(first)) return refused("not a request of HTTP/1 with a path");
  const kept = [first];
  const hosts: string[] = [];
  let upgrade: string | undefined;
  for (const line of lines) {
    const [, name = "", value = ""] = field.exec(line) ?? [];
    const lower = name.toLowerCase();
    if (name === "") return refused("a field of the request is malformed");
    if (lower === "host") hosts.push(value);
    if (lower === "upgrade") upgrade = value.toLowerCase();
    else if (!["connection", "keep-alive", "proxy-connection", "http2-settings"].includes(lower)) kept.push(line);
  }
  const [host] = hosts;
  if (host === undefined || hosts.length > 1) return refused("the request does not name one host");
  const isWebSocket = upgrade === "websocket";
  if (isWebSocket) kept.push("Upgrade: websocket", "Connection: Upgrade, close");
  else kept.push("Connection: close");
  return {
    kind: "name",
    name: host.replace(/:80$/, "").toLowerCase(),
    first: Buffer.concat([Buffer.from(`${kept.join("\r\n")}\r\n\r\n`, "latin1"), bytes.subarray(end + 4)]),
  };
}

function refused(reason: string): Reading {
  return { kind: "refused", reason };
}
