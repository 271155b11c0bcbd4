import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** As much as a client may send before it knows that the server has switched. */
const maxEarlyBytes = 64 * 1024;

/**
 * A client that asked to switch protocols, until the server has answered. Node hands such a connection over without a
 * response and without anyone who listens: this gives it a response, so that it can be refused, or answered by a server
 * that does not switch, like any other; notices when the client goes; and keeps what it sends meanwhile. The connection
 * ends with the response, as the bytes behind the request are nobody's then.
 */
export class WaitingClient {
  readonly socket: Duplex;
  readonly response: ServerResponse;
  readonly #early: Buffer[] = [];
  #earlyBytes = 0;

  constructor(request: IncomingMessage, socket: Duplex, head: Buffer) {
    this.socket = socket;
    this.response = new ServerResponse(request);
    this.response.shouldKeepAlive = false;
    this.response.assignSocket(request.socket);
    this.response.once("finish", () => {
      this.response.detachSocket(request.socket);
      request.socket.destroySoon();
    });
    socket.on("error", () => socket.destroy());
    socket.once("end", this.#gone);
    socket.on("data", this.#keep);
    socket.on("drain", this.#drained);
    if (head.length > 0) this.#keep(head);
  }

  /** Lets go of the connection, for who goes on with it. Answers what the client has sent. */
  take(request: IncomingMessage): Buffer {
    this.socket.pause();
    this.socket.off("data", this.#keep);
    this.socket.off("end", this.#gone);
    this.socket.off("drain", this.#drained);
    this.response.detachSocket(request.socket);
    return Buffer.concat(this.#early);
  }

  readonly #keep = (bytes: Buffer): void => {
    this.#early.push(bytes);
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes > maxEarlyBytes) this.socket.pause();
  };

  readonly #gone = (): void => {
    this.socket.destroy();
  };

  /** The server that would pass this on has let go of the connection. */
  readonly #drained = (): void => {
    this.response.emit("drain");
  };
}
