import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { atEnd, domain, executionId, open, type Rig, sandboxId, startRig, to, until } from "./testing/rig.ts";

const named = `E2b-Sandbox-Id: ${sandboxId}\r\nE2b-Sandbox-Port: 80\r\n`;
const asksToSwitch =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** A WebSocket server that sends back what it gets, and the headers of each handshake. */
function echoing(): { server: Server; handshakes: IncomingMessage[] } {
  const server = createServer((_, response) => response.end("plain"));
  const sockets = new WebSocketServer({ server });
  const handshakes: IncomingMessage[] = [];
  sockets.on("connection", (socket, request) => {
    handshakes.push(request);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("error", () => {});
  });
  atEnd(() => {
    for (const client of sockets.clients) client.terminate();
  });
  return { server, handshakes };
}

async function connectTo(rig: Rig, headers: Record<string, string> = to(80)): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${rig.port}/chat?a=b`, { headers });
  atEnd(() => socket.terminate());
  await new Promise<void>((done, fail) => {
    socket.once("open", done);
    socket.once("error", fail);
  });
  return socket;
}

function nextMessage(socket: WebSocket): Promise<Buffer> {
  return new Promise((done) => socket.once("message", (data) => done(Buffer.from(data as Buffer))));
}

describe("WebSockets", () => {
  test("reach a server in the sandbox by header and by host name, with its own headers kept and keys left out", async () => {
    const { server, handshakes } = echoing();
    const rig = await startRig({ ports: { 80: server } });
    for (const headers of [to(80), { Host: `80-${sandboxId}.${domain}` }]) {
      const socket = await connectTo(rig, { ...headers, "X-API-Key": "e2b_00", Cookie: "a=b" });
      const reply = nextMessage(socket);
      socket.send("hello");
      expect((await reply).toString()).toBe("hello");
    }
    for (const { headers, url } of handshakes) {
      expect(url).toBe("/chat?a=b");
      expect(headers["x-api-key"]).toBeUndefined();
      expect(headers["x-forwarded-for"]).toBe("127.0.0.1");
      expect(headers.cookie).toBe("a=b");
    }
  });

  test("carry large messages whole in both directions", async () => {
    const rig = await startRig({ ports: { 80: echoing().server } });
    const socket = await connectTo(rig);
    const message = randomBytes(5_000_000);
    const reply = nextMessage(socket);
    socket.send(message);
    expect((await reply).equals(message)).toBe(true);
  });

  test("carry what the client sent right behind its request", async () => {
    const rig = await startRig({ ports: { 80: echoing().server } });
    const { socket, received } = await open(rig);
    // A masked text frame with a mask of zeros.
    const frame = "\x81\x82\x00\x00\x00\x00hi";
    socket.write(Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\n${named}${asksToSwitch}\r\n${frame}`, "latin1"));
    await until("the echo", () => received().endsWith("\x81\x02hi"));
    expect(received()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
  });

  test("end at both sides when either ends them, and break when the sandbox is killed", async () => {
    const { server } = echoing();
    const rig = await startRig({ ports: { 80: server } });
    const closed = (socket: WebSocket) => new Promise<number>((done) => socket.once("close", done));

    const first = await connectTo(rig);
    const firstClosed = closed(first);
    first.close(4000);
    expect(await firstClosed).toBe(4000);
    await until("its connection has gone", () => rig.gateway.open === 0);

    const second = await connectTo(rig);
    const secondClosed = closed(second);
    rig.gateway.kill(executionId);
    expect(await secondClosed).toBe(1006);

    rig.gateway.run(sandboxId, executionId, { 80: server.address() === null ? 0 : portOfServer(server) });
    const third = await connectTo(rig);
    const thirdClosed = closed(third);
    rig.edge.invalidate(sandboxId);
    expect(await thirdClosed).toBe(1006);
  });

  test("and any other protocol see a reset, not an end, when the sandbox is killed", async () => {
    const server = createServer();
    server.on("upgrade", (_, socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw");
    });
    const rig = await startRig({ ports: { 80: server } });
    for (const end of [() => rig.edge.invalidate(sandboxId), () => rig.gateway.kill(executionId)]) {
      const { socket, received, closed } = await open(rig);
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${named}\r\n`);
      await until("raw bytes", () => received().endsWith("\r\n\r\nraw"));
      end();
      expect(await closed).toMatchObject({ code: "ECONNRESET" });
    }
  });

  test("that nobody answers are refused like any request", async () => {
    const rig = await startRig({
      target: { publicTraffic: false, trafficAccessToken: "secret" },
      ports: { 80: echoing().server },
    });
    const status = async (headers: Record<string, string>) => {
      const socket = new WebSocket(`ws://127.0.0.1:${rig.port}/init`, { headers });
      return await new Promise((done) => {
        socket.once("unexpected-response", (_, answer) => {
          done(answer.statusCode);
          socket.terminate();
        });
        socket.once("error", () => {});
      });
    };
    expect(await status(to(80))).toBe(403);
    expect(await status({ ...to(81), "e2b-traffic-access-token": "secret" })).toBe(502);
    expect(await status(to(80, "inone"))).toBe(502);
    expect(await status({ "E2b-Sandbox-Id": sandboxId })).toBe(400);
    expect(await status(to(49983))).toBe(404);
    expect(await status({})).toBe(404);
    await connectTo(rig, { ...to(80), "e2b-traffic-access-token": "secret" });
  });

  test("do not carry a second request past the edge when the server does not switch", async () => {
    const paths: (string | undefined)[] = [];
    const large = "x".repeat(3_000_000);
    const rig = await startRig({
      ports: {
        80: (request, response) => {
          paths.push(request.url);
          response.end(large);
        },
      },
    });
    const { socket, received, closed } = await open(rig);
    socket.write(
      `GET /first HTTP/1.1\r\nHost: x\r\n${named}${asksToSwitch}\r\nPOST /init HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`,
    );
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(received()).toContain("Connection: close");
    expect(received().match(/x{1000}/g)?.length).toBeGreaterThan(2_900);
    expect(paths).toEqual(["/first"]);
  });

  test("are given up at the server when the client goes before it has answered", async () => {
    let gone = false;
    const server = createServer();
    server.on("upgrade", (_, socket) => {
      socket.once("end", () => {
        gone = true;
        socket.end();
      });
      socket.on("error", () => {});
      socket.resume();
    });
    const rig = await startRig({ ports: { 80: server } });
    const { socket } = await open(rig);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${named}${asksToSwitch}\r\n`);
    await until("the request at the server", () => rig.gateway.open === 1);
    await pause(20);
    socket.destroy();
    await until("its end there", () => gone);
  });

  test("cannot be asked for with a body, neither of a sandbox nor of the API", async () => {
    const rig = await startRig({ ports: { 80: echoing().server }, api: (request, response) => request.pipe(response) });
    for (const header of [named, ""]) {
      const { socket, received, closed } = await open(rig);
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n${header}${asksToSwitch}\r\nbody`);
      await closed;
      expect(received()).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(rig.gateway.connects).toEqual([]);
  });

  test("are none of the API's: it answers such a request as any other", async () => {
    const rig = await startRig({ api: (request, response) => response.end(request.url) });
    const { socket, received, closed } = await open(rig);
    socket.write(`GET /sandboxes HTTP/1.1\r\nHost: x\r\n${asksToSwitch}\r\n`);
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 200 OK.*\/sandboxes$/s);
  });

  test("an offer of HTTP/2 over plain text is not taken up, and its request is answered", async () => {
    const rig = await startRig({ ports: { 80: (request, response) => request.pipe(response) } });
    const { socket, received } = await open(rig);
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 4\r\n${named}\r\nbody`,
    );
    await until("an answer", () => received().includes("body"));
    expect(received()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("a server that switches without being asked to is no answer", async () => {
    const rude = createServer();
    rude.on("connection", (socket) => {
      socket.removeAllListeners("data");
      socket.on("data", () =>
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
      );
      socket.on("error", () => {});
    });
    const rig = await startRig({ ports: { 80: rude } });
    const { socket, received } = await open(rig);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${named}\r\n`);
    await until("a refusal", () => received().startsWith("HTTP/1.1 502 "));
  });
});

function portOfServer(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
