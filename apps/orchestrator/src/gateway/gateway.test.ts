import { once } from "node:events";
import { createServer as createHttpServer, get, request } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { buffer, json, text } from "node:stream/consumers";
import { boundAddress } from "@castellan/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clusterToken, manifestOf, startTestNode, type TestNode } from "../testing/test-node.ts";

describe("the gateway into sandboxes", () => {
  let node: TestNode;
  let ids: { sandboxId: string; executionId: string };
  const servers: Server[] = [];

  beforeEach(async () => {
    node = await startTestNode();
    ids = await node.startSandbox();
  });
  afterEach(async () => {
    await node.dispose();
    for (const server of servers.splice(0)) server.close();
  });

  /** A server inside the sandbox. */
  const serve = async (port: number, onConnection: (socket: Socket) => void) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => undefined);
      onConnection(socket);
    });
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    node.runtime.sandbox(ids.executionId).ports.set(port, boundAddress(server.address()).port);
  };

  interface Answer {
    readonly status: number;
    readonly socket: Socket;
  }
  const open = (target: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const { hostname, port } = new URL(`http://${node.addresses.gatewayAddress}`);
    return new Promise((resolve, reject) => {
      const outgoing = request({
        method: "CONNECT",
        host: hostname,
        port,
        path: target,
        headers: { authorization: `Bearer ${clusterToken}`, ...headers },
      });
      outgoing.once("error", reject);
      outgoing.once("connect", (response, socket: Socket, head: Buffer) => {
        socket.on("error", () => undefined);
        if (head.length > 0) socket.unshift(head);
        resolve({ status: response.statusCode ?? 0, socket });
      });
      outgoing.end();
    });
  };
  const refusal = async (target: string, headers: Record<string, string> = {}) => {
    const { status, socket } = await open(target, headers);
    return { status, body: await json(socket) };
  };

  it("carries a request to a real server and its answer back", async () => {
    const web = createHttpServer((incoming, response) => response.end(`you asked for ${incoming.url}`));
    servers.push(web.listen(0, "127.0.0.1"));
    await once(web, "listening");
    node.runtime.sandbox(ids.executionId).ports.set(8000, boundAddress(web.address()).port);
    const { status, socket } = await open(`${ids.sandboxId}:8000`, { "castellan-execution": ids.executionId });
    expect(status).toBe(200);
    const [response] = await once(get({ createConnection: () => socket, path: "/a/path" }), "response");
    expect(await text(response)).toBe("you asked for /a/path");
  });

  it("passes on what a caller sends together with its request", async () => {
    await serve(7, (socket) => socket.pipe(socket));
    const { hostname, port } = new URL(`http://${node.addresses.gatewayAddress}`);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const line = `CONNECT ${ids.sandboxId}:7 HTTP/1.1\r\nauthorization: Bearer ${clusterToken}\r\n\r\n`;
    socket.end(`${line}early bytes`);
    expect(await text(socket)).toBe("HTTP/1.1 200 Connection established\r\n\r\nearly bytes");
  });

  it("lets one side end its sending while the other goes on", async () => {
    await serve(9, async (socket) => {
      const received = await buffer(socket);
      socket.write(`${received.length} bytes, `);
      setTimeout(() => socket.end("done"), 100);
    });
    const { socket } = await open(`${ids.sandboxId}:9`);
    socket.end("0123456789");
    expect(await text(socket)).toBe("10 bytes, done");
  });

  it("carries much both ways without keeping it in memory for a slow reader", async () => {
    const size = 64 * 1024 * 1024;
    let accepted = 0;
    await serve(9, (socket) => {
      const chunk = Buffer.alloc(64 * 1024, 1);
      const push = () => {
        while (accepted < size) {
          accepted += chunk.length;
          if (!socket.write(chunk)) return;
        }
        socket.end();
      };
      socket.on("drain", push);
      push();
      socket.resume();
    });
    const { socket } = await open(`${ids.sandboxId}:9`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(accepted).toBeLessThan(size / 2);
    expect((await buffer(socket)).length).toBe(size);
  });

  /** How a connection ends: the code of its error, or that it just ended. */
  const endOf = (socket: Socket) =>
    new Promise<unknown>((resolve) => {
      let how: unknown = "ended";
      socket.on("error", (error) => {
        how = "code" in error ? error.code : error;
      });
      socket.once("close", () => resolve(how));
      socket.resume();
    });

  it("resets every connection when the execution ends, so that none looks complete", async () => {
    await serve(9, (socket) => socket.write("endless "));
    const { socket } = await open(`${ids.sandboxId}:9`);
    await once(socket, "data");
    const end = endOf(socket);
    await node.sandboxes.delete({ epoch: 1_000n, ...ids });
    expect(await end).toBe("ECONNRESET");
  });

  it("passes a reset inside the sandbox on as a reset", async () => {
    await serve(9, (socket) => socket.once("data", () => socket.resetAndDestroy()));
    const { socket } = await open(`${ids.sandboxId}:9`);
    const end = endOf(socket);
    socket.write("a question");
    expect(await end).toBe("ECONNRESET");
  });

  it("lets the sandbox see that its client has gone", async () => {
    const inside = Promise.withResolvers<Socket>();
    await serve(9, (socket) => inside.resolve(socket));
    const { socket } = await open(`${ids.sandboxId}:9`);
    const end = endOf(await inside.promise);
    socket.resetAndDestroy();
    expect(await end).toBe("ECONNRESET");
  });

  it.each([
    ["no token", { authorization: "" }, 401],
    ["a wrong token", { authorization: "Bearer another token" }, 401],
    ["another execution", { "castellan-execution": "eanother" }, 404],
  ])("refuses a caller with %s", async (_name, headers, status) => {
    await serve(9, (socket) => socket.end("secret"));
    expect(await refusal(`${ids.sandboxId}:9`, headers)).toMatchObject({ status });
  });

  it.each([
    ["iunknown:80", 404, "not_found"],
    ["nonsense", 400, "invalid_argument"],
    ["ISANDBOX:80", 400, "invalid_argument"],
    ["isandbox:0", 400, "invalid_argument"],
    ["isandbox:70000", 400, "invalid_argument"],
  ])("answers %s with %i", async (target, status, code) => {
    expect(await refusal(target)).toMatchObject({ status, body: { code } });
  });

  it("says at once that a port is closed", async () => {
    const began = performance.now();
    expect(await refusal(`${ids.sandboxId}:81`)).toMatchObject({ status: 502, body: { code: "unavailable" } });
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  it("reaches no sandbox before it is seeded", async () => {
    node.runtime.faults.daemonAfterMs = 300;
    const manifest = manifestOf();
    const starting = node.sandboxes.create({ epoch: 1_000n, manifest });
    await expect.poll(() => node.runtime.running.size).toBe(2);
    expect(await refusal(`${manifest.sandboxId}:49983`)).toMatchObject({ status: 404 });
    await starting;
    expect((await open(`${manifest.sandboxId}:49983`)).status).toBe(200);
  });

  it("leads to the execution that is named, to the newest where none is", async () => {
    await serve(9, (socket) => socket.end("older"));
    const newer = manifestOf({ sandboxId: ids.sandboxId, generation: 2n });
    await node.sandboxes.create({ epoch: 1_000n, manifest: newer });
    const named = await open(`${ids.sandboxId}:9`, { "castellan-execution": ids.executionId });
    expect(await text(named.socket)).toBe("older");
    expect(await refusal(`${ids.sandboxId}:9`)).toMatchObject({ status: 502 });
  });

  it("takes CONNECT only", async () => {
    const response = await fetch(`http://${node.addresses.gatewayAddress}/`);
    expect(response.status).toBe(400);
  });
});
