import type { Socket } from "node:net";
import { Client, type Dispatcher } from "undici";
import type { EdgeLimits } from "./limits.ts";
import { edgeServerOptions } from "./server.ts";

/** The connections to one port of one execution that undici writes to. */
export class Lines {
  readonly #open: () => Promise<Socket>;
  readonly #limits: EdgeLimits;
  #idle: Line[] = [];

  constructor(open: () => Promise<Socket>, limits: EdgeLimits) {
    this.#open = open;
    this.#limits = limits;
  }

  take(): Line {
    const kept = this.#idle.pop();
    if (kept) return kept;
    const line = new Line(this.#open, this.#limits.idleMs, () => {
      if (line.ended || this.#idle.length >= this.#limits.maxIdlePerPort) line.destroy();
      else this.#idle.push(line);
    });
    line.onEnd(() => {
      this.#idle = this.#idle.filter((each) => each !== line);
    });
    return line;
  }

  closeIdle(): void {
    for (const line of this.#idle) line.destroy();
    this.#idle = [];
  }
}

/**
 * One connection, for one request at a time. Left to itself undici would connect again and again for a request that
 * gets no answer.
 */
export class Line {
  readonly #client: Client;
  readonly #onFree: () => void;
  #socket: Socket | undefined;
  #requests = 0;
  #ended = false;
  #failed = false;

  constructor(open: () => Promise<Socket>, idleMs: number, onFree: () => void) {
    this.#onFree = onFree;
    let opened = false;
    this.#client = new Client("http://sandbox", {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      maxHeaderSize: edgeServerOptions.maxHeaderSize,
      connect: (_options, callback) => {
        if (opened) {
          callback(new Error("The connection has ended"), null);
          return;
        }
        opened = true;
        open().then(
          (socket) => {
            this.#socket = socket;
            socket.once("error", () => {
              this.#failed = true;
            });
            callback(null, socket);
          },
          (error: Error) => callback(error, null),
        );
      },
    });
    this.onEnd(() => {
      this.#ended = true;
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the connection ended in an error. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Whether the request under way is not the connection's first. */
  get reused(): boolean {
    return this.#requests > 1;
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#requests += 1;
    this.#client.dispatch(request, handler);
  }

  /** The request is over. Not at once: what else the last bytes say about the connection is still being read. */
  release(): void {
    setImmediate(this.#onFree);
  }

  onEnd(listener: () => void): void {
    this.#client.once("disconnect", listener);
    this.#client.once("connectionError", listener);
  }

  destroy(): void {
    this.#client.destroy().catch(() => {});
  }
}
