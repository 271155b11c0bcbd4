import { describe, expect, it } from "vitest";
import { runCommand } from "./command.ts";

describe("a host command", () => {
  it("returns what it printed and reports each line of both streams", async () => {
    const lines: string[] = [];
    const output = await runCommand("sh", ["-c", "echo out; echo err >&2"], {
      timeoutSeconds: 10,
      onLine: (line) => lines.push(line),
    });
    expect(output).toBe("out\n");
    expect(lines.sort()).toEqual(["err", "out"]);
  });

  it("fails with its last lines", async () => {
    const run = runCommand("sh", ["-c", "echo no space left >&2; exit 3"], { timeoutSeconds: 10 });
    await expect(run).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("no space left") });
  });

  it("names a program that is not there", async () => {
    const run = runCommand("no-such-program", [], { timeoutSeconds: 10 });
    await expect(run).rejects.toMatchObject({ message: expect.stringContaining("no-such-program") });
  });

  it("is asked to end on abort and gets the time to clean up", async () => {
    const abort = new AbortController();
    const lines: string[] = [];
    const run = runCommand("sh", ["-c", "trap 'echo cleaned; exit 1' TERM; echo ready; while :; do sleep 0.05; done"], {
      timeoutSeconds: 10,
      signal: abort.signal,
      onLine: (line) => {
        lines.push(line);
        if (line === "ready") abort.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: "cancelled" });
    expect(lines).toContain("cleaned");
  });

  it("is ended when it takes too long", async () => {
    const run = runCommand("sleep", ["30"], { timeoutSeconds: 0.2 });
    await expect(run).rejects.toMatchObject({ code: "deadline_exceeded" });
  });
});
