import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { portOf } from "./testing/gateway.ts";
import { ask, atEnd, executionId, open, sandboxId, serve, startRig, to, until } from "./testing/rig.ts";

const named = `E2b-Sandbox-Id: ${sandboxId}\r\nE2b-Sandbox-Port: 80\r\n`;
const fine: RequestListener = (_, response) => response.end("fine");

describe("connections into sandboxes", () => {
  test("are used again for the same port of the same execution, and for no other", async () => {
    const rig = await startRig({ ports: { 80: fine, 81: fine } });
    const next = { ...rig.routes.get(sandboxId), sandboxId: "iother", executionId: "eother" };
    rig.gateway.run("iother", "eother", { 80: await serve((_, response) => response.end("other")) });
    rig.routes.set("iother", { state: "running", gatewayAddress: rig.gateway.address, publicTraffic: true, ...next });

    for (const port of [80, 80, 80, 81]) expect((await ask(rig, { headers: to(port) })).body).toBe("fine");
    expect((await ask(rig, { headers: to(80, "iother") })).body).toBe("other");
    const opened = rig.gateway.connects.map(({ url, headers }) => `${url} ${headers["castellan-execution"]}`);
    expect(opened).toEqual([`${sandboxId}:80 ${executionId}`, `${sandboxId}:81 ${executionId}`, "iother:80 eother"]);
  });

  test("are closed when nobody has used them for a while", async () => {
    const rig = await startRig({ ports: { 80: fine }, limits: { idleMs: 50 } });
    await ask(rig, { headers: to(80) });
    expect(rig.gateway.open).toBe(1);
    await until("no connection", () => rig.gateway.open === 0);
  });

  test("are closed with the execution, idle or not, and with the edge", async () => {
    const rig = await startRig({ ports: { 80: fine } });
    await ask(rig, { headers: to(80) });
    rig.edge.invalidate("isomebodyelse");
    expect(rig.gateway.open).toBe(1);
    rig.edge.invalidate(sandboxId);
    await until("no connection", () => rig.gateway.open === 0);
    expect(rig.asked.length).toBe(1);
    await ask(rig, { headers: to(80) });
    expect(rig.asked.length).toBe(2);
    rig.edge.close();
    await until("no connection", () => rig.gateway.open === 0);
    await expect(ask(rig, { headers: to(80) })).rejects.toThrow();
  });

  test("beyond the limit of one execution are refused with 429, until one ends", async () => {
    const rig = await startRig({
      ports: { 80: (_, response) => response.write("part"), 81: fine },
      limits: { maxRequestsPerExecution: 2 },
    });
    const streams = [await open(rig), await open(rig)];
    for (const { socket, received } of streams) {
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${named}\r\n`);
      await until("a part", () => received().includes("part"));
    }
    const refused = await ask(rig, { headers: to(81) });
    expect(refused.status).toBe(429);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(JSON.parse(refused.body)).toMatchObject({ sandboxId, code: 429, connectionLimit: 2 });
    streams[0]?.socket.destroy();
    await until("its request has ended", () => rig.gateway.open === 1);
    expect((await ask(rig, { headers: to(81) })).status).toBe(200);
  });
});

describe("what a node refuses", () => {
  test.each([
    ["more connections than it takes", "503 Service Unavailable", 429],
    ["a port that takes no connection", "504 Gateway Timeout", 502],
    ["what it does not understand", "400 Bad Request", 500],
  ])("%s: the client is told", async (_, refusal, status) => {
    const rig = await startRig();
    rig.gateway.refusal = refusal;
    const answer = await ask(rig, { headers: to(80) });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ sandboxId, code: status });
  });
});

describe("a kept connection that closes as it is used again", () => {
  /** Answers the first request of each connection, and closes at the second without a word. */
  async function startForgetful() {
    const seen: string[] = [];
    const server = createTcpServer((socket) => {
      let first = true;
      socket.on("error", () => {});
      socket.on("data", (data) => {
        seen.push(data.toString("latin1").split(" ")[0] ?? "");
        if (first) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        else socket.resetAndDestroy();
        first = false;
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    atEnd(() => server.close());
    const rig = await startRig();
    rig.gateway.run(sandboxId, executionId, { 80: portOf(server) });
    return { rig, seen };
  }

  test("is replaced for a request that can safely be sent twice", async () => {
    const { rig, seen } = await startForgetful();
    for (const method of ["GET", "GET", "HEAD"]) expect((await ask(rig, { method, headers: to(80) })).status).toBe(200);
    expect(seen).toEqual(["GET", "GET", "GET", "HEAD", "HEAD"]);
  });

  test("is replaced by a new one, not by the next that closes", async () => {
    const { rig } = await startForgetful();
    const together = () => Promise.all([1, 2, 3].map(() => ask(rig, { headers: to(80) })));
    await together();
    expect(rig.gateway.open).toBe(3);
    expect((await ask(rig, { headers: to(80) })).status).toBe(200);
  });

  test("is the end of a request that might take effect twice", async () => {
    const { rig, seen } = await startForgetful();
    await ask(rig, { method: "PUT", headers: to(80) });
    const answer = await ask(rig, { method: "POST", headers: to(80) }, "body");
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ sandboxId, port: 80, code: 502 });
    await ask(rig, { method: "PUT", headers: to(80) });
    expect((await ask(rig, { method: "DELETE", headers: to(80) })).status).toBe(502);
    expect(seen).toEqual(["PUT", "POST", "PUT", "DELETE"]);
  });

  test("is not expected of a server that says how long it keeps it", async () => {
    const app = createServer(fine);
    app.keepAliveTimeout = 1_000;
    const rig = await startRig({ ports: { 80: app } });
    await ask(rig, { headers: to(80) });
    await until("the connection is closed by the edge", () => rig.gateway.open === 0);
  });
});

describe("a server that says more than it has to", () => {
  test("before its answer to a request that asked for nothing of the kind", async () => {
    const answers = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.write(answers));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    atEnd(() => server.close());
    const rig = await startRig();
    rig.gateway.run(sandboxId, executionId, { 80: portOf(server) });
    expect(await ask(rig, { headers: to(80) })).toMatchObject({ status: 200, body: "ok" });
  });
});

describe("a port that does not speak HTTP", () => {
  test.each([
    ["nothing", ""],
    ["something else", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["a head without an end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}`],
    ["both a length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a coding that is more than chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["an impossible status", "HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n"],
  ])("gets 502 with JSON when it says %s", async (_, text) => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(text, "latin1"));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    atEnd(() => server.close());
    const rig = await startRig();
    rig.gateway.run(sandboxId, executionId, { 80: portOf(server) });
    const answer = await ask(rig, { headers: to(80) });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ sandboxId, port: 80, code: 502 });
  });

  test("gets 502 with JSON when it speaks before it is asked", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.write("220 mail.example ESMTP\r\n");
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    atEnd(() => server.close());
    for (const waitsForServer of [false, true]) {
      const rig = await startRig();
      rig.gateway.waitsForServer = waitsForServer;
      rig.gateway.run(sandboxId, executionId, { 80: portOf(server) });
      expect((await ask(rig, { headers: to(80) })).status).toBe(502);
    }
  });

  test("gets the body for a sandbox that is gone when that is why", async () => {
    const rig = await startRig({ ports: { 80: () => {} } });
    const answer = ask(rig, { headers: to(80) });
    await until("the request", () => rig.gateway.open === 1);
    await pause(20);
    rig.routes.delete(sandboxId);
    rig.gateway.kill(executionId);
    expect((await answer).body).toBe(`{"sandboxId":"${sandboxId}","message":"The sandbox was not found","code":502}`);
  });
});

describe("what clients may send", () => {
  const smuggling = [
    ["a length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!"],
    ["a length that is no number", "Content-Length: 4x\r\n\r\nbody"],
    ["a coding that is not chunked last", "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"],
    ["two codings", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a coding in disguise", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
    ["a space before a colon", "Content-Length : 4\r\n\r\nbody"],
    ["a folded header", "X: a\r\n b\r\n\r\n"],
    ["a header ended by a line feed", "X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a carriage return in a value", "X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ] as const;

  test.each(smuggling)("%s: refused with 400, nothing reaches the sandbox", async (_, rest) => {
    const reached: unknown[] = [];
    const rig = await startRig({ ports: { 80: (request) => reached.push(request) } });
    const { socket, received } = await open(rig);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${named}${rest}`);
    await until("a refusal", () => received().startsWith("HTTP/1.1 400 "));
    expect(reached).toEqual([]);
  });

  test("headers of more than 16 KiB: refused with 431", async () => {
    const rig = await startRig({ ports: { 80: fine } });
    const { socket, received } = await open(rig);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${named}X: ${"x".repeat(17_000)}\r\n\r\n`);
    await until("a refusal", () => received().startsWith("HTTP/1.1 431 "));
    expect((await ask(rig, { headers: { ...to(80), X: "x".repeat(15_000) } })).status).toBe(200);
  });

  test("headers that do not end: cut off in time, while a slow body is not", async () => {
    const rig = await startRig({
      ports: { 80: (request, response) => request.pipe(response) },
      server: { headersTimeout: 100, connectionsCheckingInterval: 20 },
    });
    const slow = await open(rig);
    slow.socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n${named}\r\nbo`);
    const endless = await open(rig);
    endless.socket.write("GET / HTTP/1.1\r\nHost: x\r\nX: ");
    await endless.closed;
    expect(endless.received()).toMatch(/^HTTP\/1\.1 408 /);
    await pause(200);
    slow.socket.write("dy");
    await until("the slow one's answer", () => slow.received().includes("dy"));
  });

  test("a body that does not arrive after its answer: cut off in time", async () => {
    const rig = await startRig({
      ports: { 80: (_, response) => response.end("early") },
      limits: { unreadBodyMs: 50 },
    });
    for (const [port, status] of [
      ["80", 200],
      ["81", 502],
    ]) {
      const { socket, received, closed } = await open(rig);
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n${named.replace("80", String(port))}\r\nbo`);
      await closed;
      expect(received()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  test("a body for the API that does not arrive: cut off in time", async () => {
    const rig = await startRig({ api: (request) => request.resume(), limits: { apiRequestTimeoutMs: 100 } });
    const { socket, received, closed } = await open(rig);
    socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo");
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 408 /);
    expect(received()).toContain('"code":408');
  });

  test("an answer of the API that takes longer than its request may: not cut off", async () => {
    const rig = await startRig({
      api: async (request, response) => {
        request.resume();
        await pause(300);
        response.end("late");
      },
      limits: { apiRequestTimeoutMs: 50 },
    });
    expect((await ask(rig, { method: "POST" }, "body")).body).toBe("late");
  });
});
