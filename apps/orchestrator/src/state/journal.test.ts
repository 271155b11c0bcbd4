import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createLogger } from "@castellan/telemetry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Journal } from "./journal.ts";
import type { StateRecord } from "./records.ts";

describe("the node's journal", () => {
  const logger = createLogger("test", "silent");
  let dir: string;
  let path: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "castellan-journal-"));
    path = join(dir, "state.log");
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const live = (revision: number, tag: string): StateRecord => ({
    kind: "live",
    sandboxId: "i1",
    executionId: "e1",
    epoch: 1,
    metadata: { revision, entries: [["tag", tag]] },
  });

  it("shows nothing before it is in the file", async () => {
    const journal = Journal.open(path, logger);
    const recorded = journal.record(live(5, "a"));
    expect(journal.state.held("i1").metadata.revision).toBe(0);
    await recorded;
    expect(journal.state.held("i1").metadata).toEqual({ revision: 5, value: new Map([["tag", "a"]]) });
    expect(await readFile(path, "utf8")).toContain('"tag","a"');
    journal.close();
  });

  it("keeps the higher revision whatever the order, live and after a restart", async () => {
    const journal = Journal.open(path, logger);
    await Promise.all([journal.record(live(7, "new")), journal.record(live(6, "old"))]);
    expect(journal.state.held("i1").metadata.value.get("tag")).toBe("new");
    journal.close();
    const again = Journal.open(path, logger);
    expect(again.state.held("i1").metadata).toEqual({ revision: 7, value: new Map([["tag", "new"]]) });
    expect(again.state.highestRevision).toBe(7);
    again.close();
  });

  it("refuses epochs below the highest it has seen, over a restart as well", async () => {
    const journal = Journal.open(path, logger);
    expect(await journal.admitEpoch(10)).toBe(true);
    expect(await journal.admitEpoch(9)).toBe(false);
    journal.close();
    const again = Journal.open(path, logger);
    expect(await again.admitEpoch(9)).toBe(false);
    expect(await again.admitEpoch(10)).toBe(true);
    again.close();
  });

  it("stays small however many edits one sandbox takes, and loses none of its numbers", async () => {
    const journal = Journal.open(path, logger);
    const value = "v".repeat(4_000);
    await journal.admitEpoch(3);
    for (let revision = 1; revision <= 4_000; revision += 1) void journal.record(live(revision, value));
    await journal.record({
      kind: "deleted",
      sandboxId: "i2",
      executionId: "e2",
      sequence: 1,
      cause: "exited",
      at: Date.now(),
    });
    await journal.record({ kind: "acknowledged", to: 1 });
    expect((await stat(path)).size).toBeLessThan(1024 * 1024);
    journal.close();
    const again = Journal.open(path, logger);
    expect(again.state.held("i1").metadata.revision).toBe(4_000);
    expect(again.state.epoch).toBe(3);
    expect(again.state.refuses("e2")).toBe(true);
    expect(again.state.takeSequence()).toBe(2);
    expect([...again.state.deletions]).toEqual([]);
    again.close();
  });

  it("has everything that it confirmed when its process is killed", async () => {
    const script = fileURLToPath(new URL("../testing/confirm-forever.ts", import.meta.url));
    for (let round = 0; round < 5; round += 1) {
      const child = spawn(process.execPath, ["--conditions=source", script, path], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      let confirmed = 0;
      const lines = createInterface({ input: child.stdout });
      lines.on("line", (line) => {
        confirmed = Number(line);
        if (confirmed % 1_000 > 500) child.kill("SIGKILL");
      });
      await Promise.all([once(child, "exit"), once(lines, "close")]);
      expect(confirmed).toBeGreaterThan(0);
      const journal = Journal.open(path, logger);
      expect(journal.state.held("i1").metadata.revision).toBeGreaterThanOrEqual(confirmed);
      journal.close();
    }
  });
});
