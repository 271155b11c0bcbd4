import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";

export interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly at: number;
}

/** An HTTP server that webhooks may lead to. */
export class Receiver implements AsyncDisposable {
  readonly deliveries: Delivery[] = [];
  readonly url: string;
  /** What it answers; default 204. */
  answer: (response: ServerResponse, delivery: Delivery, count: number) => void = (response) =>
    response.writeHead(204).end();
  readonly #close: () => Promise<unknown>;

  private constructor(url: string, close: () => Promise<unknown>) {
    this.url = url;
    this.#close = close;
  }

  static async start(): Promise<Receiver> {
    let receiver: Receiver | undefined;
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const delivery = { headers: request.headers, body: Buffer.concat(chunks).toString(), at: performance.now() };
      receiver?.deliveries.push(delivery);
      receiver?.answer(response, delivery, receiver.deliveries.length);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    receiver = new Receiver(`http://127.0.0.1:${address.port}/hook`, () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return receiver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
