import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { endToEnd } from "./headers.ts";
import { reset } from "./reset.ts";

/**
 * Joins a client and a server that have agreed on another protocol: every byte as it comes, in both directions, for as
 * long as they like. The end of one direction is passed on; the end of one connection is the end of both, and a failure
 * of one is a failure of both.
 */
export function splice(client: Duplex, early: Buffer, server: Duplex, answer: IncomingMessage, head: Buffer): void {
  client.write(switchHead(answer), "latin1");
  if (head.length > 0) client.write(head);
  if (early.length > 0) server.write(early);
  client.pipe(server);
  server.pipe(client);
  endTogether(client, server);
  endTogether(server, client);
}

/** The answer that switches protocols, with the two headers that make it one. */
function switchHead(answer: IncomingMessage): string {
  const lines = endToEnd(answer.rawHeaders, "client").map(([name, value]) => `${name}: ${value}\r\n`);
  return [
    `HTTP/1.1 101 ${answer.statusMessage || "Switching Protocols"}\r\n`,
    `Connection: Upgrade\r\nUpgrade: ${answer.headers.upgrade ?? ""}\r\n`,
    ...lines,
    "\r\n",
  ].join("");
}

function endTogether(one: Duplex, other: Duplex): void {
  one.on("error", () => reset(other));
  one.once("close", () => {
    // What the other has still to write gets a moment; a peer that does not read does not hold it for ever.
    if (other.writableFinished) other.destroy();
    else if (!other.destroyed) {
      other.end();
      const timer = setTimeout(() => other.destroy(), lingerMs);
      other.once("finish", () => other.destroy());
      other.once("close", () => clearTimeout(timer));
    }
  });
}

const lingerMs = 5_000;
