import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@castellan/telemetry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeRecord, type StateRecord } from "./records.ts";
import { StateLog } from "./state-log.ts";

describe("the state log", () => {
  const logger = createLogger("test", "silent");
  let dir: string;
  let path: string;
  const opened: StateLog[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "castellan-log-"));
    path = join(dir, "state.log");
  });
  afterEach(async () => {
    for (const log of opened.splice(0)) log.close();
    await rm(dir, { recursive: true, force: true });
  });

  const open = () => {
    const { log, records } = StateLog.open(path, logger);
    opened.push(log);
    return { log, records: records.filter(({ kind }) => kind !== "log") };
  };
  const refused = (executionId: string): StateRecord => ({ kind: "refused", executionId, at: 1 });

  it("gives back what was appended, in order, in a file for its owner alone", async () => {
    const { log } = open();
    log.append([refused("a"), refused("b")]);
    log.append([refused("c")]);
    expect(open().records).toEqual([refused("a"), refused("b"), refused("c")]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("cuts a torn record off, at whatever byte the write stopped, and appends after it", async () => {
    const { log } = open();
    log.append([refused("a")]);
    const whole = (await stat(path)).size;
    log.append([refused("torn")]);
    const full = await readFile(path);
    for (let size = whole; size < full.length; size += 1) {
      await writeFile(path, full.subarray(0, size));
      const reopened = open();
      expect(reopened.records).toEqual([refused("a")]);
      reopened.log.append([refused("next")]);
      expect(open().records).toEqual([refused("a"), refused("next")]);
    }
  });

  it("does not take a complete line with a wrong checksum for a record", async () => {
    open().log.append([refused("a")]);
    const forged = encodeRecord(refused("b")).replace('"b"', '"x"');
    await appendFile(path, forged);
    expect(open().records).toEqual([refused("a")]);
  });

  it("reads on after damage in the middle and keeps a copy of the damaged file", async () => {
    open().log.append([refused("a"), refused("b"), refused("c")]);
    const content = await readFile(path, "utf8");
    await writeFile(path, content.replace('"b"', '"?"'));
    expect(open().records).toEqual([refused("a"), refused("c")]);
    expect(await readFile(`${path}.damaged`, "utf8")).toContain('"?"');
  });

  it("replaces its content in one step, and goes on in the new file", async () => {
    const { log } = open();
    log.append([refused("a"), refused("b")]);
    log.compact([refused("b")]);
    log.append([refused("c")]);
    expect(open().records).toEqual([refused("b"), refused("c")]);
  });

  it("ignores a compaction that did not come to its end", async () => {
    open().log.append([refused("a")]);
    await writeFile(`${path}.next`, encodeRecord(refused("half")).slice(0, 20));
    expect(open().records).toEqual([refused("a")]);
    await expect(stat(`${path}.next`)).rejects.toThrow();
  });

  it("leaves nothing of an append that failed", async () => {
    const { log } = open();
    log.append([refused("a")]);
    await truncate(path, (await stat(path)).size);
    log.close();
    opened.length = 0;
    expect(() => log.append([refused("b")])).toThrow("cannot write its state");
    expect(open().records).toEqual([refused("a")]);
  });

  it("refuses a file of a later version instead of losing what it does not know", async () => {
    await writeFile(path, encodeRecord({ kind: "log", version: 99 }));
    expect(() => open()).toThrow(/later version/);
  });
});
