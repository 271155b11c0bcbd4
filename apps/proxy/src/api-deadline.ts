import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Bounds the time in which a request to the API must arrive in full. The server that it shares with the sandboxes
 * cannot, as their uploads may take hours. Costs one entry per connection, and one timer in all.
 */
export class ApiDeadline {
  readonly #timeoutMs: number;
  readonly #newest = new Map<Socket, { request: IncomingMessage; response: ServerResponse; since: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#timer = setInterval(() => this.#sweep(), Math.max(10, Math.min(timeoutMs / 4, 10_000)));
    this.#timer.unref();
  }

  watch(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const entry = this.#newest.get(socket);
    if (entry) {
      entry.request = request;
      entry.response = response;
      entry.since = performance.now();
      return;
    }
    this.#newest.set(socket, { request, response, since: performance.now() });
    socket.once("close", () => this.#newest.delete(socket));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#newest.clear();
  }

  #sweep(): void {
    const start = performance.now() - this.#timeoutMs;
    for (const [socket, { request, response, since }] of this.#newest) {
      if (request.complete || since > start) continue;
      if (response.headersSent) socket.destroy();
      else refuse(response);
    }
  }
}

function refuse(response: ServerResponse): void {
  const body = JSON.stringify({ code: 408, message: "The request did not arrive in time" });
  response.writeHead(408, { "content-type": "application/json", connection: "close" });
  response.end(body, () => response.socket?.destroy());
}
