import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** A port of loopback between `first` and `last` on which nobody listens now. */
export async function freePort([first, last]: readonly [number, number]): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(first, last + 1);
    if (await canListen(port)) return port;
  }
  throw new Error(`No free port between ${first} and ${last}`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
