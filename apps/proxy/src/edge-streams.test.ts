import { createHash, randomBytes } from "node:crypto";
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { portOf } from "./testing/gateway.ts";
import { ask, atEnd, executionId, open, type Rig, sandboxId, startRig, to, until } from "./testing/rig.ts";

const named = `E2b-Sandbox-Id: ${sandboxId}\r\nE2b-Sandbox-Port: 80\r\n`;

function sendsBytes(length: number): { listener: RequestListener; digest: string } {
  const bytes = randomBytes(length);
  return {
    listener: (_, response) => response.writeHead(200, { "Content-Length": length }).end(bytes),
    digest: createHash("sha256").update(bytes).digest("hex"),
  };
}

describe("answers as they come", () => {
  test("a head is passed on before any of its body, and each piece before the next", async () => {
    let next = (_: string) => {};
    const rig = await startRig({
      ports: {
        80: (_, response) => {
          response.writeHead(200, { "Content-Type": "application/connect+json" });
          response.flushHeaders();
          next = (piece) => (piece === "end" ? response.end() : response.write(piece));
        },
      },
    });
    const { socket, received } = await open(rig);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n${named}\r\n`);
    await until("a head", () => received().includes("\r\n\r\n"));
    expect(received()).toContain("Transfer-Encoding: chunked");
    expect(received()).not.toContain("\r\nContent-Encoding");
    for (const piece of ["one", "two", "end"]) {
      next(piece);
      await until(piece, () => received().endsWith(piece === "end" ? "0\r\n\r\n" : `3\r\n${piece}\r\n`));
    }
  });

  test("a large one arrives whole, and a compressed one as it was", async () => {
    const { listener, digest } = sendsBytes(20_000_000);
    const rig = await startRig({ ports: { 80: listener } });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const request = httpRequest({ port: rig.port, headers: to(80) }, (answer) => {
      const hash = createHash("sha256");
      answer.on("data", (chunk: Buffer) => hash.update(chunk));
      answer.on("end", () => resolve(hash.digest("hex")));
    });
    request.on("error", reject);
    request.end();
    expect(await promise).toBe(digest);
  });

  test("a client that does not read holds the server in the sandbox back", async () => {
    let written = 0;
    const rig = await startRig({
      ports: {
        80: (_, response) => {
          const more = () => {
            do written += 65_536;
            while (!response.destroyed && response.write(Buffer.alloc(65_536)));
          };
          response.on("drain", more);
          more();
        },
      },
    });
    const { socket } = await open(rig);
    socket.pause();
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${named}\r\n`);
    await until("the first bytes", () => written > 0);
    let before = -1;
    while (written !== before) {
      before = written;
      await pause(200);
    }
    // What the kernel and four streams hold; without back-pressure it would be without end.
    expect(written).toBeLessThan(60_000_000);
  });

  test("an answer to HEAD has no body, and says how long it would be", async () => {
    const rig = await startRig({
      ports: { 80: (_, response) => response.writeHead(200, { "Content-Length": 5 }).end() },
    });
    const { socket, received } = await open(rig);
    socket.write(`HEAD / HTTP/1.1\r\nHost: x\r\n${named}\r\nHEAD /2 HTTP/1.1\r\nHost: x\r\n${named}\r\n`);
    await until("two answers", () => received().split("Content-Length: 5").length === 3);
    expect(received()).not.toContain("hello");
  });

  test.each([204, 304])("%i has no body and no framing", async (status) => {
    const rig = await startRig({ ports: { 80: (_, response) => response.writeHead(status).end() } });
    const answer = await ask(rig, { headers: to(80) });
    expect(answer.status).toBe(status);
    expect(answer.headers["transfer-encoding"]).toBeUndefined();
  });

  test("trailers arrive behind the body, hints before the head", async () => {
    const rig = await startRig({
      ports: {
        80: (_, response) => {
          response.writeEarlyHints({ link: "</a.css>; rel=preload" });
          response.writeHead(200, { Trailer: "Grpc-Status" });
          response.write("body");
          response.addTrailers({ "Grpc-Status": "0" });
          response.end();
        },
      },
    });
    const { socket, received } = await open(rig);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${named}\r\n`);
    await until("the end", () => received().endsWith("\r\n\r\n") && received().includes("Grpc-Status: 0"));
    expect(received()).toMatch(/^HTTP\/1.1 103 Early Hints\r\nLink: <\/a.css>; rel=preload\r\n\r\nHTTP\/1.1 200 /);
    expect(received()).toContain("Trailer: Grpc-Status");
    expect(received()).toMatch(/body\r\n0\r\nGrpc-Status: 0\r\n\r\n$/);
  });

  test("an announcement of trailers that cannot come is left out, and breaks nothing", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => {
        const seen = data.toString("latin1");
        const head = `HTTP/1.1 ${seen.includes("/304") ? 304 : 200} OK\r\nTrailer: X\r\nSeen: ${seen.includes("Trailer")}\r\n`;
        const framing = seen.includes("/length") ? "Content-Length: 0" : "Transfer-Encoding: chunked";
        const body = seen.startsWith("HEAD") || seen.includes("/304") || seen.includes("/length") ? "" : "0\r\n\r\n";
        socket.write(`${head}${framing}\r\n\r\n${body}`);
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    atEnd(() => server.close());
    const rig = await startRig();
    rig.gateway.run(sandboxId, executionId, { 80: portOf(server) });
    for (const line of [
      "HEAD / HTTP/1.1",
      "GET /304 HTTP/1.1",
      "GET /length HTTP/1.1",
      "GET / HTTP/1.0",
      "POST / HTTP/1.1",
    ]) {
      const { socket, received } = await open(rig);
      socket.write(`${line}\r\nHost: x\r\nTrailer: Y\r\n${named}\r\n`);
      await until("an answer", () => received().includes("\r\n\r\n"));
      expect(received()).toMatch(/^HTTP\/1\.1 (200|304) OK\r\n/);
      expect(received()).toContain("Seen: false");
      expect(received().includes("Trailer: X")).toBe(line.startsWith("POST"));
    }
  });

  test("a server of HTTP/1.0 whose body ends with the connection", async () => {
    const old = createTcpServer((socket) => {
      socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\nX: 1\r\n\r\nold"));
      socket.on("error", () => {});
    });
    await new Promise<void>((done) => old.listen(0, "127.0.0.1", done));
    const rig = await startRig();
    rig.gateway.run(sandboxId, executionId, { 80: portOf(old) });
    expect((await ask(rig, { headers: to(80) })).body).toBe("old");
    expect((await ask(rig, { headers: to(80) })).body).toBe("old");
    await new Promise((done) => old.close(done));
  });

  test("a stream may be silent for longer than every timeout of the edge", async () => {
    const limits = { idleMs: 30, connectTimeoutMs: 40, locateTimeoutMs: 40, apiRequestTimeoutMs: 40, routeTtlMs: 40 };
    const rig = await startRig({
      limits,
      server: { headersTimeout: 50, connectionsCheckingInterval: 10 },
      ports: {
        80: async (_, response) => {
          response.write("one ");
          await pause(400);
          response.end("two");
        },
      },
    });
    expect((await ask(rig, { headers: to(80) })).body).toBe("one two");
  });
});

describe("uploads as they come", () => {
  const echo: RequestListener = (request, response) => request.pipe(response);

  test("a chunked body without a length is passed on piece by piece", async () => {
    const pieces: string[] = [];
    const rig = await startRig({
      ports: {
        80: (request, response) => {
          request.on("data", (chunk: Buffer) => pieces.push(chunk.toString()));
          request.on("end", () => response.end(JSON.stringify([request.headers, request.trailers])));
        },
      },
    });
    const { socket, received } = await open(rig);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n${named}\r\n`);
    for (const piece of ["one", "two"]) {
      socket.write(`3\r\n${piece}\r\n`);
      await until(piece, () => pieces.at(-1) === piece);
    }
    socket.write("0\r\nX-Sum: 6\r\nX-API-Key: e2b_00\r\n\r\n");
    await until("an answer", () => received().includes('"x-sum":"6"'));
    expect(received()).toContain('"transfer-encoding":"chunked"');
    expect(received()).not.toContain("e2b_00");
  });

  test.each([
    ["a GET with a body", { method: "GET", headers: { ...to(80), "Content-Length": "4" } }],
    ["a DELETE with a chunked body", { method: "DELETE", headers: { ...to(80), "Transfer-Encoding": "chunked" } }],
    ["a POST with a length", { method: "POST", headers: { ...to(80), "Content-Length": "4" } }],
  ])("%s keeps it", async (_, options) => {
    const rig = await startRig({ ports: { 80: echo } });
    expect((await ask(rig, options, "body")).body).toBe("body");
  });

  test("a POST without a body says so to the server", async () => {
    const rig = await startRig({ ports: { 80: (request, response) => response.end(JSON.stringify(request.headers)) } });
    const { socket, received } = await open(rig);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${named}\r\n`);
    await until("an answer", () => received().includes('"content-length":"0"'));
    expect(received()).not.toContain('"transfer-encoding"');
  });

  test("a server that does not read holds the client back", async () => {
    let request: IncomingMessage | undefined;
    const rig = await startRig({
      ports: {
        80: (incoming) => {
          request = incoming;
          incoming.pause();
        },
      },
    });
    const { socket } = await open(rig);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n${named}\r\n`);
    let written = 0;
    const more = () => {
      do written += 65_536;
      while (written < 1e9 && socket.write(Buffer.alloc(65_536)));
    };
    socket.on("drain", more);
    more();
    await until("the request", () => request !== undefined);
    let before = -1;
    while (written !== before) {
      before = written;
      await pause(200);
    }
    expect(written).toBeLessThan(60_000_000);
  });

  test("a client that waits is told to go on by the server, and only by it", async () => {
    const app = createServer();
    let allow = () => {};
    app.on("checkContinue", (request, response) => {
      allow = () => {
        response.writeContinue();
        request.pipe(response);
      };
    });
    const rig = await startRig({ ports: { 80: app } });
    const { socket, received } = await open(rig);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n${named}\r\n`);
    await until("the request at the server", () => rig.gateway.open === 1);
    await pause(50);
    expect(received()).toBe("");
    allow();
    await until("100", () => received() === "HTTP/1.1 100 Continue\r\n\r\n");
    socket.write("body");
    await until("an answer", () => received().includes("body"));
  });

  test("a client that waits is refused without sending its body", async () => {
    const app = createServer();
    app.on("checkContinue", (_, response) => response.writeHead(413).end("too large"));
    const rig = await startRig({ ports: { 80: app } });
    for (const [header, status] of [
      [named, 413],
      [named.replace("80", "81"), 502],
    ]) {
      const { socket, received } = await open(rig);
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n${header}\r\n`);
      await until("a refusal", () => received().startsWith(`HTTP/1.1 ${status} `));
      expect(received()).not.toContain("100 Continue");
    }
  });

  test("an upload to the API that waits is told to go on", async () => {
    const rig = await startRig({ api: echo });
    const { socket, received } = await open(rig);
    socket.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    await until("100", () => received() === "HTTP/1.1 100 Continue\r\n\r\n");
    socket.write("body");
    await until("an answer", () => received().includes("body"));
  });

  test("an answer that comes before the upload's end reaches the client", async () => {
    const rig = await startRig({ ports: { 80: (_, response) => response.writeHead(413).end("too large") } });
    for (const [port, status] of [
      [80, 413],
      [81, 502],
    ] as const) {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
      const request = httpRequest({ port: rig.port, method: "POST", headers: to(port) }, (answer) => {
        resolve(answer.statusCode);
        request.destroy();
      });
      request.on("error", reject);
      request.write(Buffer.alloc(1_000_000));
      expect(await promise).toBe(status);
    }
  });
});

describe("ends that are no ends", () => {
  /** Sends a part, and then waits. */
  const unfinished: RequestListener = (_, response) => {
    response.write("part");
  };

  async function partOf(rig: Rig, version = "1.1") {
    const connection = await open(rig);
    connection.socket.write(`GET / HTTP/${version}\r\nHost: x\r\n${named}\r\n`);
    await until("a part", () => connection.received().includes("part"));
    return connection;
  }

  test("a sandbox that is killed in the middle of an answer breaks the client's connection", async () => {
    const rig = await startRig({ ports: { 80: unfinished } });
    const { received, closed } = await partOf(rig);
    rig.gateway.kill(executionId);
    await closed;
    expect(received()).not.toContain("0\r\n\r\n");
    await expect(ask(rig, { headers: to(80) })).resolves.toMatchObject({ status: 502 });
  });

  test("so does whoever knows of its end first and says so", async () => {
    const rig = await startRig({ ports: { 80: unfinished } });
    const { received, closed } = await partOf(rig);
    rig.edge.invalidate(sandboxId);
    await closed;
    expect(received()).not.toContain("0\r\n\r\n");
    await until("no connection into the sandbox", () => rig.gateway.open === 0);
  });

  test("a client of HTTP/1.0, to whom the connection's end is the body's, sees a reset", async () => {
    const rig = await startRig({ ports: { 80: unfinished } });
    const { closed } = await partOf(rig, "1.0");
    rig.gateway.kill(executionId);
    expect(await closed).toMatchObject({ code: "ECONNRESET" });
  });

  test("a body that ends with its connection is not taken as whole when the sandbox is killed", async () => {
    const old = createTcpServer((socket) => {
      socket.once("data", () => socket.write("HTTP/1.0 200 OK\r\n\r\npart"));
      socket.on("error", () => {});
    });
    await new Promise<void>((done) => old.listen(0, "127.0.0.1", done));
    const rig = await startRig();
    rig.gateway.run(sandboxId, executionId, { 80: portOf(old) });
    for (const end of [() => rig.edge.invalidate(sandboxId), () => rig.gateway.kill(executionId)]) {
      const { received, closed } = await partOf(rig);
      end();
      await closed;
      expect(received()).not.toContain("0\r\n\r\n");
    }
    old.close();
  });

  test("a body shorter than it said breaks the client's connection", async () => {
    const rig = await startRig({
      ports: {
        80: (_, response) => {
          response.writeHead(200, { "Content-Length": 10 });
          response.write("part", () => response.destroy());
        },
      },
    });
    await expect(ask(rig, { headers: to(80) })).rejects.toThrow(/aborted|socket hang up/);
  });

  test("a client that goes away ends its request at the server", async () => {
    let gone = 0;
    const rig = await startRig({
      ports: {
        80: (_, response) => {
          response.write("part");
          response.once("close", () => gone++);
        },
        81: (_, response) => {
          response.once("close", () => gone++);
        },
      },
    });
    (await partOf(rig)).socket.destroy();
    await until("the first is gone", () => gone === 1);
    const waiting = await open(rig);
    waiting.socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${named.replace("80", "81")}\r\n`);
    await until("the second is there", () => rig.gateway.open === 1);
    await pause(20);
    waiting.socket.destroy();
    await until("the second is gone", () => gone === 2);
    await until("nothing is left open", () => rig.gateway.open === 0);
  });

  test("a client that goes away in the middle of an upload ends it at the server", async () => {
    let broken = false;
    const rig = await startRig({
      ports: {
        80: (request) => {
          request.on("error", () => {
            broken = true;
          });
          request.resume();
        },
      },
    });
    const { socket } = await open(rig);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n${named}\r\nsome`);
    await until("the upload", () => rig.gateway.open === 1);
    await pause(20);
    socket.destroy();
    await until("its end", () => broken);
  });
});
