import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ExecutionRecord, readRecord, writeRecord } from "./execution-record.ts";

const record: ExecutionRecord = {
  version: 1,
  sandboxId: "s",
  executionId: "e",
  slot: 3,
  startedAt: "2026-01-01T00:00:00.000Z",
  egress: { allowOut: ["203.0.113.1"], denyOut: [] },
  daemonDirectory: "/d",
  init: { pid: 7, startTicks: "123", bootId: "b" },
};

describe("the record of an execution", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-runtime-test-record-"));
  });

  afterEach(() => rm(directory, { recursive: true }));

  it("is read as it was last written, and leaves no second file", async () => {
    await writeRecord(directory, { ...record, slot: 1 });
    await writeRecord(directory, record);
    expect(await readRecord(directory)).toEqual(record);
    expect(await readdir(directory)).toEqual(["execution.json"]);
  });

  it("counts as absent when it is damaged or of another kind", async () => {
    expect(await readRecord(directory)).toBeUndefined();
    const { egress: _, ...incomplete } = record;
    const damaged = ["", "{", "null", "[]", JSON.stringify(incomplete), JSON.stringify({ ...record, version: 2 })];
    damaged.push(JSON.stringify({ ...record, init: { pid: "7" } }), JSON.stringify({ ...record, slot: "3" }));
    for (const text of damaged) {
      await writeFile(join(directory, "execution.json"), text);
      expect(await readRecord(directory)).toBeUndefined();
    }
  });
});
