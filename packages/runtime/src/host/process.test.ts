import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { commandsOf } from "./command.ts";
import { identify, isAlive, killAndWait } from "./process.ts";

describe("a process", () => {
  it("is not confused with another of the same number", async () => {
    const child = spawn("sleep", ["60"], { stdio: "ignore" });
    const self = identify(child.pid ?? 0);
    expect(self).toBeDefined();
    if (self === undefined) return;
    try {
      const earlier = { ...self, startTicks: String(Number(self.startTicks) - 1) };
      expect([isAlive(self), isAlive(earlier), isAlive({ ...self, bootId: "other" })]).toEqual([true, false, false]);
      expect(await killAndWait(earlier, 1000)).toBe(true);
      expect(isAlive(self)).toBe(true);
      const ended = once(child, "exit");
      expect(await killAndWait(self, 5000)).toBe(true);
      expect(isAlive(self)).toBe(false);
      await ended;
      expect(identify(self.pid)).toBeUndefined();
    } finally {
      child.kill("SIGKILL");
    }
  });
});

describe("a host command", () => {
  const run = commandsOf("/nonexistent");

  it("gives its output, or an error with what it said as the cause", async () => {
    expect(await run("cat", [], { input: "text" })).toBe("text");
    const failure = await run("sh", ["-c", "echo why >&2; exit 3"]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "internal", message: "sh failed" });
    expect(failure).toHaveProperty("cause.message", expect.stringContaining("ended with 3: why"));
    await expect(run("no-such-program", [])).rejects.toMatchObject({ code: "internal" });
  });

  it("is killed when it takes too long or nobody waits any more", async () => {
    await expect(run("sleep", ["60"], { timeoutMs: 50 })).rejects.toMatchObject({ code: "deadline_exceeded" });
    await expect(run("sleep", ["60"], { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      code: "cancelled",
    });
    await expect(run("sleep", ["60"], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
  });

  it("sees nothing of this process's environment", async () => {
    process.env["CASTELLAN_SECRET_OF_TEST"] = "1";
    expect(await run("env", [])).not.toContain("CASTELLAN_SECRET_OF_TEST");
    delete process.env["CASTELLAN_SECRET_OF_TEST"];
  });
});
