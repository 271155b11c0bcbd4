import { appendFile, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@castellan/telemetry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogEntry } from "./entry.ts";
import { LogFiles, type LogFilesOptions, type LogQuery } from "./log-files.ts";

const all: Omit<LogQuery, "sandboxId"> = {
  teamId: "team",
  fromMs: 0,
  toMs: Number.POSITIVE_INFINITY,
  order: "forward",
  limit: 10_000,
  leastLevel: "debug",
  search: "",
};

function line(timeMs: number, message: string, more: Partial<LogEntry> = {}): LogEntry {
  return { timeMs, level: "info", logger: "node", message, fields: {}, ...more };
}

describe("the logs that a node keeps of its sandboxes", () => {
  let directory = "";
  let files: LogFiles;
  const open = (options: Partial<LogFilesOptions> = {}) =>
    new LogFiles(join(directory, "logs"), { logger: createLogger("test", "silent"), ...options });
  const messages = async (query: Partial<LogQuery> = {}) =>
    (await files.read({ ...all, sandboxId: "s1", ...query }))?.map(({ message }) => message);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-logs-"));
    files = open();
  });
  afterEach(async () => {
    await files.flush();
    await rm(directory, { recursive: true });
  });

  it("are read by time, direction, level, part of the message and number", async () => {
    await files.append("team", "s1", [
      line(10, "one"),
      line(20, "two", { level: "warn" }),
      line(30, "three", { level: "error", fields: { pid: "7" } }),
    ]);
    expect(await files.read({ ...all, sandboxId: "s1", fromMs: 30 })).toEqual([
      line(30, "three", { level: "error", fields: { pid: "7" } }),
    ]);
    expect(await messages({ toMs: 20 })).toEqual(["one", "two"]);
    expect(await messages({ order: "backward", limit: 2 })).toEqual(["three", "two"]);
    expect(await messages({ leastLevel: "warn" })).toEqual(["two", "three"]);
    expect(await messages({ search: "o" })).toEqual(["one", "two"]);
    expect(await messages({ search: "O" })).toEqual([]);
    expect(await messages({ limit: 0 })).toEqual([]);
  });

  it("never show two lines of one time, or a later line before an earlier one", async () => {
    await files.append("team", "s1", [line(10, "a"), line(10, "b")]);
    await files.append("team", "s1", [line(3, "c"), line(500, "d")]);
    expect((await files.read({ ...all, sandboxId: "s1" }))?.map(({ timeMs }) => timeMs)).toEqual([10, 11, 12, 500]);
  });

  it("are another team's to nobody", async () => {
    await files.append("team", "s1", [line(1, "mine")]);
    expect(await messages({ teamId: "other" })).toBeUndefined();
    expect(await messages({ sandboxId: "../s1" })).toBeUndefined();
    expect(await messages({ sandboxId: "s2" })).toBeUndefined();
  });

  it("survive the node's process, and a line that it could not finish", async () => {
    await files.append("team", "s1", [line(10, "before", { told: { boot: "b", sequence: 41 } })]);
    const [log = ""] = await readdir(join(directory, "logs"));
    await appendFile(join(directory, "logs", log, "newer.jsonl"), '{"t":11,"l":"in');
    files = open();
    expect(await files.told("team", "s1")).toEqual({ boot: "b", sequence: 41 });
    await files.append("team", "s1", [line(5, "after")]);
    expect(await messages()).toEqual(["before", "after"]);
  });

  it("are bounded, and keep the newest", async () => {
    files = open({ fileBytes: 4_096 });
    for (let count = 0; count < 20; count += 1) {
      await files.append(
        "team",
        "s1",
        Array.from({ length: 20 }, (_, index) => line(count * 20 + index, `line ${count * 20 + index}`)),
      );
    }
    const [log = ""] = await readdir(join(directory, "logs"));
    const sizes = await Promise.all(
      ["older.jsonl", "newer.jsonl"].map(async (name) => (await stat(join(directory, "logs", log, name))).size),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4_096);
    const kept = (await messages()) ?? [];
    expect(kept.at(-1)).toBe("line 399");
    expect(kept.length).toBeGreaterThan(50);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => `line ${400 - kept.length + index}`));
  });

  it("lose no line to a reader who comes in between", async () => {
    files = open({ fileBytes: 2_048 });
    const writing = Array.from({ length: 60 }, (_, index) =>
      files.append("team", "s1", [line(index, `line ${index}`)]),
    );
    const seen: string[][] = [];
    for (let round = 0; round < 30; round += 1) seen.push((await messages()) ?? []);
    await Promise.all(writing);
    for (const lines of seen) {
      const numbers = lines.map((text) => Number(text.slice(5)));
      expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    }
  });

  it("of ended sandboxes are kept for a while and up to a number, those of living ones for good", async () => {
    files = open({ keptMs: 60_000, keptLogs: 2 });
    const now = Date.now();
    for (const [id, agoMs] of Object.entries({ alive: 90_000, old: 90_000, s1: 1_000, s2: 2_000, s3: 3_000 })) {
      await files.append("team", id, [line(1, id)]);
      const path = join(directory, "logs", `${id}.${Buffer.from("team").toString("hex")}`, "newer.jsonl");
      await utimes(path, new Date(now - agoMs), new Date(now - agoMs));
    }
    await files.prune((id) => id === "alive", now);
    const left = await Promise.all(
      ["alive", "old", "s1", "s2", "s3"].map(async (id) =>
        (await messages({ sandboxId: id })) === undefined ? "" : id,
      ),
    );
    expect(left).toEqual(["alive", "", "s1", "s2", ""]);
  });

  it("cost lines and not the sandbox where they cannot be written", async () => {
    await writeFile(join(directory, "logs"), "in the way");
    await files.append("team", "s1", [line(1, "lost")]);
    expect(await messages()).toBeUndefined();
  });
});
