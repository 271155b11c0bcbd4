import { createServer, connect as dial, type Socket } from "node:net";
import type { Dice } from "./dice.ts";

/** What a link does to what goes over it. */
export type Trouble =
  | { readonly kind: "none" }
  /** Everything arrives later, in order. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Nothing arrives, until the trouble is over. */
  | { readonly kind: "stall" }
  /** Redis commands arrive a second time, up to `ms` later and after others. */
  | { readonly kind: "duplicate"; readonly ms: number }
  /** Some Redis commands arrive only after their connection was cut, up to `ms` later and after others. */
  | { readonly kind: "late"; readonly ms: number };

/** A TCP proxy on loopback between one client and one server of the installation. */
export interface Link {
  readonly port: number;
  trouble: Trouble;
  /** Cuts every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** `redis`: its commands are told apart, which `duplicate` and `late` need. */
export async function startLink(targetPort: number, dice: Dice, redis = false): Promise<Link> {
  const sockets = new Set<Socket>();
  const wires = new Set<Wire>();
  let trouble: Trouble = { kind: "none" };
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  const server = createServer((client) => {
    keep(client);
    const target = keep(dial(targetPort, "127.0.0.1"));
    // To the same server's process as the connection that it copies, for what arrives late.
    const side = redis ? keep(dial(targetPort, "127.0.0.1")) : undefined;
    side?.resume();
    const close = () => {
      client.destroy();
      target.destroy();
    };
    client.on("close", close);
    target.on("close", close);
    const there = new Wire(target, () => trouble);
    const back = new Wire(client, () => trouble);
    wires.add(there).add(back);
    client.on("close", () => {
      wires.delete(there);
      wires.delete(back);
      setTimeout(() => side?.destroy(), 2_000).unref();
    });
    target.on("data", (chunk) => back.send(chunk));
    if (!redis) {
      client.on("data", (chunk) => there.send(chunk));
      return;
    }
    const frames = new CommandReader();
    client.on("data", (chunk) => {
      for (const frame of frames.read(chunk)) {
        const copied = trouble;
        const isScript = frame.subarray(0, 40).toString("latin1").toLowerCase().includes("evalsha");
        if (isScript && copied.kind === "duplicate" && dice.oneIn(3)) {
          setTimeout(() => side?.write(frame), dice.below(copied.ms + 1));
        } else if (isScript && copied.kind === "late" && dice.oneIn(40)) {
          setTimeout(() => side?.write(frame), dice.below(copied.ms + 1));
          close();
          return;
        }
        there.send(frame);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    get trouble() {
      return trouble;
    },
    set trouble(next) {
      trouble = next;
      for (const wire of wires) wire.pump();
    },
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

/** One direction of one connection: in order, and as late as the trouble says. */
class Wire {
  readonly #to: Socket;
  readonly #trouble: () => Trouble;
  readonly #waiting: { readonly chunk: Buffer; readonly due: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(to: Socket, trouble: () => Trouble) {
    this.#to = to;
    this.#trouble = trouble;
  }

  send(chunk: Buffer): void {
    const trouble = this.#trouble();
    const isQuiet = trouble.kind !== "delay" && trouble.kind !== "stall";
    if (isQuiet && this.#waiting.length === 0) {
      this.#to.write(chunk);
      return;
    }
    this.#waiting.push({ chunk, due: performance.now() + (trouble.kind === "delay" ? trouble.ms : 0) });
    this.pump();
  }

  /** Sends what is due. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#trouble().kind === "stall") return;
    const now = performance.now();
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.due > now) {
        this.#timer = setTimeout(() => this.pump(), next.due - now);
        return;
      }
      this.#waiting.shift();
      if (!this.#to.destroyed) this.#to.write(next.chunk);
    }
  }
}

/** Takes a stream of Redis commands apart: arrays of strings with their lengths before them. */
class CommandReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The whole commands that are there now. */
  *read(chunk: Buffer): Generator<Buffer> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let length = this.#first(); length > 0; length = this.#first()) {
      const frame = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      yield frame;
    }
  }

  /** The length of the first command; 0 while it is not all there. */
  #first(): number {
    const rest = this.#rest;
    let at = 0;
    const line = (): number | undefined => {
      const end = rest.indexOf("\r\n", at);
      if (end < 0) return undefined;
      const value = Number(rest.toString("latin1", at + 1, end));
      at = end + 2;
      return value;
    };
    const count = rest.length === 0 ? undefined : line();
    if (count === undefined) return 0;
    for (let part = 0; part < count; part += 1) {
      const size = at < rest.length ? line() : undefined;
      if (size === undefined) return 0;
      at += size + 2;
    }
    return at <= rest.length ? at : 0;
  }
}
