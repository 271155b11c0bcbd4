import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createClient } from "@castellan/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { showHistory, watchMetadata } from "./history.ts";

describe("watching metadata", () => {
  let server: Server;
  let revision: number;
  let written: string[];
  const sink = { write: (text: string) => written.push(text) };
  beforeEach(async () => {
    revision = 5;
    written = [];
    server = createServer((request, response) => {
      const path = request.url ?? "";
      const change = { time: "2026-01-01T00:00:00Z", revision, kind: "edited", delta: { a: "\u009b2J\u202e" } };
      const body = path.includes("/history")
        ? { changes: [change] }
        : path.endsWith("/metadata")
          ? { metadata: {}, revision: 5, appliedRevision: 5 }
          : { state: "paused" };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = () => {
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    return createClient({ apiUrl: `http://127.0.0.1:${port}`, apiKey: "e2b_00" });
  };

  it("goes on while the sandbox is paused, and ends without an error when it is told to", async () => {
    const stop = new AbortController();
    const watching = watchMetadata(client(), "i1", { json: false, sink, everyMs: 5, signal: stop.signal });
    await expect
      .poll(() => {
        revision += 1;
        return written.length;
      })
      .toBeGreaterThan(4);
    stop.abort();
    await watching;
  });

  it("prints JSON that cannot steer a terminal and says the same", async () => {
    await showHistory(client(), "i1", 10, { json: true, sink });
    expect(written.join("")).not.toMatch(/[\u009b\u202e]/);
    expect(JSON.parse(written.join("")).delta).toEqual({ a: "\u009b2J\u202e" });
  });
});
