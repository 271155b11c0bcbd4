import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { open, type Rig, startRig, to, until } from "./testing/rig.ts";

async function talk(rig: Rig, text: string): Promise<{ status: string; body: unknown }> {
  const { socket, received, closed } = await open(rig);
  socket.write(text, "latin1");
  await closed;
  const [head = "", body = ""] = received().split("\r\n\r\n");
  return { status: head.split("\r\n")[0] ?? "", body: body === "" ? undefined : JSON.parse(body) };
}

describe("a connection that carries no request", () => {
  test.each([
    ["no HTTP at all", "hello\r\n\r\n", "HTTP/1.1 400 Bad Request"],
    ["the greeting of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 Bad Request"],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 Bad Request"],
    [
      "a length and chunks",
      "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 400 Bad Request",
    ],
    [
      "headers over 16 KiB",
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(17_000)}\r\n\r\n`,
      "HTTP/1.1 431 Request Header Fields Too Large",
    ],
    ["CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"],
  ])("is answered like every other error: %s", async (_name, text, status) => {
    const answer = await talk(await startRig(), text);
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ code: Number(status.split(" ")[1]), message: expect.any(String) });
  });

  test("gets the answer after 30 s, or what is set, when its headers do not come", async () => {
    const rig = await startRig({ server: { headersTimeout: 60, connectionsCheckingInterval: 20 } });
    const answer = await talk(rig, "GET / HTTP/1.1\r\nHost: x\r\n");
    expect(answer).toEqual({
      status: "HTTP/1.1 408 Request Timeout",
      body: { code: 408, message: "The request did not arrive in time" },
    });
  });

  test("gets no answer in the middle of another one", async () => {
    const rig = await startRig({ ports: { 80: (_, response) => response.write("part") } });
    const { socket, received, closed } = await open(rig);
    const headers = Object.entries(to(80)).map(([name, value]) => `${name}: ${value}\r\n`);
    // The second one waits for the first.
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${headers.join("")}\r\n`.repeat(2));
    await until("a part", () => received().includes("part"));
    socket.write("\x00\x01garbage\r\n\r\n");
    await closed;
    expect(received().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

test("an expectation that nobody can meet is refused in the same shape", async () => {
  const { socket, received } = await open(await startRig());
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nContent-Length: 0\r\n\r\n");
  await until("an answer", () => received().endsWith("}"));
  expect(received()).toMatch(/^HTTP\/1\.1 417 .*\{"message":".*","code":417\}$/s);
});

test("a request of HTTP/1.1 without a host is refused in the same shape, one of HTTP/1.0 is not", async () => {
  const rig = await startRig({ ports: { 80: (_, response) => response.end("fine") } });
  const headers = Object.entries(to(80)).map(([name, value]) => `${name}: ${value}\r\n`);
  const refused = await open(rig);
  refused.socket.write(`GET / HTTP/1.1\r\n${headers.join("")}\r\n`);
  await until("an answer", () => refused.received().endsWith("}"));
  expect(refused.received()).toMatch(/^HTTP\/1\.1 400 .*\{"message":"The Host header is missing","code":400\}$/s);
  const older = await open(rig);
  older.socket.write(`GET / HTTP/1.0\r\n${headers.join("")}\r\n`);
  await until("an answer", () => older.received().endsWith("fine"));
});

test("clients beyond the number of connections that are taken are closed at once", async () => {
  const rig = await startRig({ limits: { maxConnections: 2 } });
  const taken = [await open(rig), await open(rig)];
  const beyond = connect({ port: rig.port, host: "127.0.0.1" });
  beyond.on("error", () => {});
  beyond.resume();
  await new Promise((resolve) => beyond.once("close", resolve));
  expect(taken.map(({ socket }) => socket.destroyed)).toEqual([false, false]);
});
