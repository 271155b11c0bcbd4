import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** What Node's parser says of a connection that carries no request that can be read. */
type ParserError = Error & { readonly code?: string };

/**
 * Answers what is no HTTP, too long or too slow, in the shape of every other error, and closes. Node's own answers have
 * no body.
 */
export class NotHttp {
  /** Answers that are not finished, by connection: with pipelining there may be several. */
  readonly #open = new WeakMap<Duplex, readonly ServerResponse[]>();

  /** Notes an answer that may be under way when something else comes over its connection. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const before = this.#open.get(request.socket)?.filter((one) => !one.writableFinished && !one.destroyed) ?? [];
    this.#open.set(request.socket, [...before, response]);
  }

  /** A listener for `clientError`. */
  readonly refuse = (error: ParserError, socket: Duplex): void => {
    if (error.code === "ECONNRESET" || socket.destroyed) return;
    const [status, message] = verdict(error.code);
    this.#end(socket, status, message);
  };

  /** A listener for `connect`: the edge is no proxy for others. */
  readonly refuseConnect = (_request: IncomingMessage, socket: Duplex): void => {
    this.#end(socket, 405, "CONNECT is not supported");
  };

  #end(socket: Duplex, status: number, message: string): void {
    const answers = this.#open.get(socket) ?? [];
    // Bytes of another answer in the middle of one would be taken for its own.
    const midAnswer = answers.some((answer) => answer.headersSent && !answer.writableFinished);
    socket.on("error", () => {});
    if (socket.writable && !midAnswer) {
      const body = JSON.stringify({ code: status, message });
      socket.write(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    }
    socket.destroy();
  }
}

function verdict(code: string | undefined): [status: number, message: string] {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, "The request did not arrive in time"];
    case "HPE_HEADER_OVERFLOW":
      return [431, "The request's headers or path are too long"];
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return [413, "The chunks of the request's body have too much beside it"];
    default:
      return [400, "The request is not valid HTTP"];
  }
}
