import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { startRedisServer } from "./redis-server.ts";

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

it("a Redis server of a test keeps what it saved over a kill, and leaves nothing once it is stopped", async () => {
  const server = await startRedisServer({ appendonly: true, appendfsync: "always" });
  try {
    const redis = new Redis(server.url);
    await redis.set("key", "value");
    const { pid } = server;
    await server.kill();
    expect(isAlive(pid)).toBe(false);
    await server.restart();
    await expect.poll(() => redis.get("key")).toBe("value");
    expect(server.pid).not.toBe(pid);
    redis.disconnect();
  } finally {
    await server.stop();
    await server.stop();
  }
  expect(isAlive(server.pid)).toBe(false);
  await expect(access(server.directory)).rejects.toThrow();
});

it("a Redis server of a test dies with the process that started it, also when that is killed", async () => {
  const starter = fileURLToPath(new URL("../contract/redis-starter.ts", import.meta.url));
  const child = spawn(process.execPath, ["--conditions=source", starter], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  const pid = Number(String(line));
  expect(isAlive(pid)).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
});
