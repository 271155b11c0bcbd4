import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "./testing/run.ts";
import { startTestDaemon, type TestDaemon } from "./testing/test-daemon.ts";

let daemon: TestDaemon;

beforeAll(async () => {
  daemon = await startTestDaemon();
});

afterAll(() => daemon?.stop());

const rpc = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${daemon.url}/${path}`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });

/** Sends both over one connection, the second once the first is answered, and answers how the second begins. */
async function answerToSecond(first: Buffer, second: string): Promise<string> {
  const socket = connect({ port: Number(new URL(daemon.url).port), host: "127.0.0.1" });
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
  });
  try {
    const until = async (condition: () => boolean) => {
      for (const end = performance.now() + 5_000; !condition() && performance.now() < end; ) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    socket.write(first);
    await until(() => received.endsWith("0\r\n\r\n"));
    const length = received.length;
    socket.write(second);
    await until(() => received.length > length);
    return received.slice(length).split("\r\n")[0] ?? "";
  } finally {
    socket.destroy();
  }
}

describe("the daemon", () => {
  it.each([
    ["larger than it may be", Buffer.concat([Buffer.from([0, 0, 0x70, 0, 0]), Buffer.alloc(0x70_0000, 0x20)])],
    [
      "one of too many",
      Buffer.concat(Array(500).fill(Buffer.concat([Buffer.from([0, 0, 0, 8, 0]), Buffer.alloc(2_048, 0x20)]))),
    ],
  ])("answers the request behind a call whose message is %s", async (_name, body) => {
    const head = `POST /process.Process/Connect HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const second = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    expect(await answerToSecond(Buffer.concat([Buffer.from(head), body]), second)).toBe("HTTP/1.1 204 No Content");
  });

  it("does not grow by a message full of fields that nobody knows", async () => {
    const peak = () =>
      Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) / 1024;
    const before = peak();
    const headers = { "content-type": "application/proto" };
    // Two bytes each: field 4, a number.
    const body = Buffer.alloc(5 * 1024 * 1024, 0x20);
    const response = await fetch(`${daemon.url}/process.Process/List`, { method: "POST", headers, body });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    expect(peak() - before).toBeLessThan(100);
  });

  it("says that it is well", async () => {
    const response = await fetch(`${daemon.url}/health`);
    expect([response.status, await response.text()]).toEqual([204, ""]);
  });

  it.each([
    ["GET", "/nothing", 404],
    ["GET", "/process.Process/Nothing", 404],
    ["POST", "/health", 405],
    ["GET", "/init", 405],
    ["DELETE", "/files", 405],
    ["POST", "/metrics", 405],
    ["POST", "/envs", 405],
    ["GET", "/files/compose", 405],
  ])("answers %s %s with a %i error body", async (method, path, code) => {
    const response = await fetch(`${daemon.url}${path}`, { method });
    expect(response.status).toBe(code);
    expect(await response.json()).toEqual({ code, message: expect.any(String) });
  });

  it("says what the sandbox uses of what it may use", async () => {
    const metrics: Record<string, number> = JSON.parse(await (await fetch(`${daemon.url}/metrics`)).text());
    const { ts = 0, mem_total = 0, mem_used = 0, disk_total = 0, disk_used = 0 } = metrics;
    expect(metrics).toEqual({
      ts: expect.any(Number),
      cpu_count: expect.any(Number),
      cpu_used_pct: expect.any(Number),
      mem_total_mib: Math.floor(mem_total / 1024 / 1024),
      mem_used_mib: Math.floor(mem_used / 1024 / 1024),
      mem_total: expect.any(Number),
      mem_used: expect.any(Number),
      mem_cache: expect.any(Number),
      disk_used: expect.any(Number),
      disk_total: expect.any(Number),
    });
    expect(metrics["cpu_count"]).toBeGreaterThanOrEqual(1);
    expect(mem_total).toBeGreaterThan(mem_used);
    expect(mem_used).toBeGreaterThan(0);
    expect(disk_total).toBeGreaterThan(disk_used);
    expect(disk_used).toBeGreaterThan(0);
    expect(Math.abs(ts * 1000 - Date.now())).toBeLessThan(10_000);
  });

  it("has all its threads before it listens, as it could get none in a sandbox full of processes", async () => {
    const fresh = await startTestDaemon();
    try {
      const before = readdirSync(`/proc/${fresh.pid}/task`).length;
      await Promise.all(Array.from({ length: 20 }, () => fetch(`${fresh.url}/files?path=/etc/passwd`)));
      expect(readdirSync(`/proc/${fresh.pid}/task`)).toHaveLength(before);
    } finally {
      await fresh.stop();
    }
  });

  it("refuses malformed messages and goes on", async () => {
    for (const body of ["", "{", "[]", '{"process":5}', '{"process":{"pid":"x"}}']) {
      const response = await rpc("process.Process/SendSignal", body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: "invalid_argument" });
    }
    expect((await rpc("process.Process/List", "{}", { "content-type": "text/plain" })).status).toBe(415);
    expect((await fetch(`${daemon.url}/process.Process/List`)).status).toBe(405);
    expect((await rpc("process.Process/List", "{}")).status).toBe(200);
  });

  it("refuses messages beyond its limit, with or without a length", async () => {
    const body = JSON.stringify({ path: "x".repeat(7 * 1024 * 1024) });
    const response = await rpc("filesystem.Filesystem/Stat", body);
    expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
    const stream = new Blob([body]).stream();
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: stream, duplex: "half" } as RequestInit;
    const chunked = await fetch(`${daemon.url}/filesystem.Filesystem/Stat`, init);
    expect(await chunked.json()).toMatchObject({ code: "resource_exhausted" });
  });

  it("survives requests that are none", async () => {
    const nonsense = [
      "GET\r\n\r\n",
      "POST /process.Process/List HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
      "POST /process.Process/List HTTP/1.1\r\nHost: a b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
      "GET //// HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /files?path=%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Basic !!!\r\n\r\n",
      `GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(100_000)}\r\n\r\n`,
      "POST /files HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ];
    for (const text of nonsense) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(new URL(daemon.url).port), "127.0.0.1", () => socket.write(text));
        socket.on("error", () => resolve());
        socket.once("data", () => socket.destroy());
        socket.once("close", () => resolve());
        socket.setTimeout(1_000, () => socket.destroy());
      });
    }
    expect((await run(daemon.process, "echo alive")).stdout).toBe("alive\n");
    expect(daemon.log.filter((line) => line.includes("uncaught") || line.includes("unhandled"))).toEqual([]);
  });

  it("ends with SIGTERM and takes its commands with it", async () => {
    const own = await startTestDaemon();
    try {
      const { promise: started, resolve } = Promise.withResolvers<number>();
      run(own.process, "sleep 300", { onPid: resolve }).catch(() => {});
      const pid = await started;
      await own.stop();
      await expect.poll(() => isRunning(pid)).toBe(false);
    } finally {
      await own.stop();
    }
  });
});

/** Whether a process lives. One that nobody has collected yet does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
