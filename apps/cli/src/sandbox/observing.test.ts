import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createClient } from "@castellan/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { logLevel, showLogs } from "./logs.ts";
import { showMetrics } from "./metrics.ts";

describe("following a sandbox", () => {
  let server: Server;
  let asked: string[];
  /** What each path answers with, in turn; the last answer is repeated. */
  let answers: Record<string, (readonly [status: number, body: unknown])[]>;
  let output: string[];
  beforeEach(async () => {
    asked = [];
    output = [];
    answers = {};
    server = createServer((request, response) => {
      const url = new URL(request.url ?? "/", "http://localhost");
      asked.push(`${url.pathname}${url.search}`);
      const waiting = answers[url.pathname] ?? [];
      const [status, body] = (waiting.length > 1 ? waiting.shift() : waiting[0]) ?? [500, {}];
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
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
    return createClient({
      apiUrl: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
      apiKey: "e2b_00",
    });
  };
  const options = {
    follow: true,
    json: false,
    everyMs: 1,
    level: "info" as const,
    sink: { write: (text: string) => output.push(text) },
  };
  const line = (second: number, message: string) => ({
    timestamp: `2026-01-01T00:00:0${second}.000Z`,
    level: "info",
    message,
    fields: { logger: "process", pid: "7\u001b[2J" },
  });
  const running = [200, { state: "running" }] as const;
  const gone = [404, { code: 404, message: "gone" }] as const;

  it("shows each line of its log once, also the last ones after its end", async () => {
    answers["/v2/sandboxes/i1/logs"] = [
      [200, { logs: [line(1, "one")] }],
      [200, { logs: [line(2, "two")] }],
      [200, { logs: [line(3, "three")] }],
    ];
    answers["/sandboxes/i1"] = [running, gone];
    await showLogs(client(), "i1", options);
    expect(output.map((text) => /: (\w+)/.exec(text)?.[1])).toEqual(["one", "two", "three"]);
    expect(asked.filter((path) => path.startsWith("/v2")).map((path) => /cursor=(\d+)/.exec(path)?.[1])).toEqual([
      "0",
      "1767225601001",
      "1767225602001",
    ]);
    // What a sandbox says must not steer the terminal.
    expect(output.join("")).not.toContain("\u001b");
  });

  it("waits for a service that is away for a moment", async () => {
    answers["/v2/sandboxes/i1/logs"] = [
      [200, { logs: [] }],
      [503, { code: 503, message: "not now" }],
      [200, { logs: [line(1, "there")] }],
    ];
    answers["/sandboxes/i1"] = [[503, { code: 503, message: "not now" }], gone];
    await showLogs(client(), "i1", options);
    expect(output).toHaveLength(1);
  });

  it("shows each measurement once, and ends with the sandbox", async () => {
    const metric = (second: number) => ({
      timestamp: `2026-01-01T00:00:0${second}.500Z`,
      timestampUnix: 1,
      cpuCount: 2,
      cpuUsedPct: 1.5,
      memUsed: 1_048_576,
      memTotal: 2_097_152,
      memCache: 0,
      diskUsed: 0,
      diskTotal: 1_048_576,
    });
    answers["/sandboxes/i1/metrics"] = [[200, [metric(1)]], [200, [metric(1), metric(2)]], gone];
    answers["/sandboxes/i1"] = [running, gone];
    await showMetrics(client(), "i1", options);
    expect(output).toEqual([
      "2026-01-01T00:00:01.500Z  cpu 1.50 % of 2  memory 1 of 2 MiB (and 0 cached)  disk 0 of 1 MiB\n",
      "2026-01-01T00:00:02.500Z  cpu 1.50 % of 2  memory 1 of 2 MiB (and 0 cached)  disk 0 of 1 MiB\n",
    ]);
    expect(asked).toContain("/sandboxes/i1/metrics?start=1767225601");
  });

  it("says that there is no such sandbox", async () => {
    answers["/v2/sandboxes/i1/logs"] = [gone];
    await expect(showLogs(client(), "i1", options)).rejects.toMatchObject({ status: 404 });
    expect(() => logLevel("loud")).toThrow("--level must be one of debug, info, warn, error.");
  });
});
