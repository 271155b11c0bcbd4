import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CastellanClient, createClient } from "./client.ts";
import { ApiError } from "./errors.ts";

describe("following events", () => {
  let asked: IncomingMessage[];
  let answers: ((response: ServerResponse) => void)[];
  let client: CastellanClient;
  const server = createServer((request, response) => {
    asked.push(request);
    (answers.shift() ?? (() => {}))(response);
  });
  beforeEach(async () => {
    asked = [];
    answers = [];
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    client = createClient({ apiUrl: `http://127.0.0.1:${address.port}`, apiKey: "e2b_00" });
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });

  const start = (after: number) => (response: ServerResponse) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(`retry: 1000\n: following after ${after}\n\n`);
    return response;
  };
  const event = (id: number) =>
    `id: ${id}\nevent: sandbox.lifecycle.updated\ndata: ${JSON.stringify({ id: String(id) })}\n\n`;

  test("goes on where it was after every loss of the connection, without a gap and with nothing twice", async () => {
    answers.push(
      // Lost before anything came, cut inside an event, ended by the service, and refused for a while.
      (response) => start(5)(response).destroy(),
      (response) => {
        const text = event(6) + event(7);
        start(5)(response).write(text.slice(0, text.length - 10), () => response.destroy());
      },
      (response) => start(6)(response).end(event(7)),
      (response) => response.writeHead(503).end('{"code":503,"message":"not now"}'),
      (response) => void start(7)(response).write(`:\n\n${event(8)}`),
    );
    const seen: string[] = [];
    for await (const { id } of client.events({ types: ["sandbox.lifecycle.updated"] })) {
      seen.push(id);
      if (id === "8") break;
    }
    expect(seen).toEqual(["6", "7", "8"]);
    // Whether the first comment is read before the loss is for the network to say.
    expect(asked.map(({ headers }) => headers["last-event-id"]).slice(2)).toEqual(["6", "7", "7"]);
    expect(asked[0]).toMatchObject({
      url: "/events/sandboxes?types=sandbox.lifecycle.updated",
      headers: { accept: "text/event-stream", "x-api-key": "e2b_00" },
    });
  }, 20_000);

  test("says when events are no longer kept, and follows one sandbox from where it is told", async () => {
    answers.push((response) => void start(3)(response).write(`event: gap\ndata: {"after":"3"}\n\n${event(9)}`));
    let gaps = 0;
    const options = { sandboxId: "i1", after: "3", onGap: () => (gaps += 1) };
    for await (const { id } of client.events(options)) {
      expect(id).toBe("9");
      break;
    }
    expect(gaps).toBe(1);
    expect(asked[0]?.url).toBe("/events/sandboxes/i1");
    expect(asked[0]?.headers["last-event-id"]).toBe("3");
  });

  test("ends when its caller says so, and frees the connection", async () => {
    let closed = false;
    answers.push((response) => {
      start(0)(response).write(event(1));
      response.once("close", () => {
        closed = true;
      });
    });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const { id } of client.events({ signal: stop.signal })) {
      seen.push(id);
      setTimeout(() => stop.abort(), 20);
    }
    expect(seen).toEqual(["1"]);
    await expect.poll(() => closed).toBe(true);
  });

  test("fails when the service refuses", async () => {
    answers.push((response) => response.writeHead(401).end('{"code":401,"message":"who?"}'));
    const following = (async () => {
      for await (const _event of client.events()) break;
    })();
    await expect(following).rejects.toBeInstanceOf(ApiError);
    await expect(following).rejects.toMatchObject({ status: 401 });
  });
});
