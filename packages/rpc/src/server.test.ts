import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { NodeService } from "@castellan/contracts/node";
import { createLogger } from "@castellan/telemetry";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRpcServer, maxConcurrentStreams, type RpcServer } from "./server.ts";

describe("a server of the cluster", () => {
  let server: RpcServer;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    server = await createRpcServer({
      clusterToken: "the-cluster-token",
      routes: (router) => {
        router.service(NodeService, { info: () => ({}) });
      },
      maxMessageBytes: 8 * 1024 * 1024,
      logger: createLogger("test", "silent"),
    });
    session = connect((await server.listen({ host: "127.0.0.1", port: 0 })).url);
    await once(session, "remoteSettings");
  });
  afterAll(async () => {
    session?.destroy();
    await server?.close();
  });

  it("bounds the calls of one connection: each takes memory before anybody knows who calls", () => {
    expect(session.remoteSettings.maxConcurrentStreams).toBe(maxConcurrentStreams);
  });

  it("does not grow by a message full of fields that nobody knows", async () => {
    const before = process.memoryUsage().rss;
    const call = session.request({
      ":method": "POST",
      ":path": `/${NodeService.typeName}/Info`,
      "content-type": "application/proto",
      authorization: "Bearer the-cluster-token",
    });
    // Two bytes each: field 4, a number.
    call.end(Buffer.alloc(7 * 1024 * 1024, 0x20));
    const [headers] = await once(call, "response");
    expect(headers[":status"]).toBe(200);
    call.close();
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });

  it("refuses a body that is said to be too large without a word that HTTP/2 does not have", async () => {
    const warnings: string[] = [];
    const note = (warning: Error) => warnings.push(warning.message);
    process.on("warning", note);
    const call = session.request({
      ":method": "POST",
      ":path": "/no-service/there",
      "content-type": "application/json",
      "content-length": "9000000",
      authorization: "Bearer the-cluster-token",
    });
    const [headers] = await once(call, "response");
    expect(headers[":status"]).toBeGreaterThanOrEqual(400);
    call.close();
    await sleep(10);
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  it("ends at once when nobody calls, although connections are kept", async () => {
    const other = await createRpcServer({
      clusterToken: "the-cluster-token",
      routes: () => {},
      maxMessageBytes: 1024,
      logger: createLogger("test", "silent"),
    });
    const kept = connect((await other.listen({ host: "127.0.0.1", port: 0 })).url);
    await once(kept, "remoteSettings");
    const closed = once(kept, "close");
    const start = performance.now();
    await other.close();
    await closed;
    expect(performance.now() - start).toBeLessThan(900);
  });
});
