import { SandboxLogLevel } from "@castellan/contracts/sandbox";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "./testing/eventually.ts";
import { epoch, startTestNode, type TestNode } from "./testing/test-node.ts";

const quick = { sampleMs: 20, firstSampleMs: 10, collectLogsMs: 60_000 };
const mib = 1024 * 1024;

describe("what a node measures of its sandboxes", () => {
  let node: TestNode;
  beforeEach(async () => {
    node = await startTestNode({ timing: quick });
  });
  afterEach(() => node.dispose());

  const samplesOf = async (execution: { sandboxId: string; executionId: string }, more = {}) =>
    (await node.sandboxes.metrics({ executions: [execution], ...more })).executions[0]?.samples ?? [];

  it("is there soon after the start, as shares of what the sandbox may use", async () => {
    node.runtime.used = {
      cpuMicros: 0,
      memoryBytes: 10 * mib,
      cacheBytes: 2 * mib,
      diskUsedBytes: 5 * mib,
      diskTotalBytes: 500 * mib,
    };
    const execution = await node.startSandbox({ resources: { cpuCount: 2, memoryMb: 128, diskMb: 512 } });
    await eventually(async () => expect((await samplesOf(execution)).length).toBeGreaterThan(0));
    expect((await samplesOf(execution))[0]).toMatchObject({
      cpuUsedPercent: 0,
      cpuCount: 2,
      memoryUsedBytes: BigInt(10 * mib),
      memoryCacheBytes: BigInt(2 * mib),
      memoryTotalBytes: BigInt(128 * mib),
      diskUsedBytes: BigInt(5 * mib),
      diskTotalBytes: BigInt(500 * mib),
    });
    expect(Math.abs(Number((await samplesOf(execution))[0]?.timeMs) - Date.now())).toBeLessThan(10_000);
  });

  it("shows one busy processor of two as half, and a counter that begins anew as nothing", async () => {
    const started = performance.now();
    const busy = setInterval(() => {
      node.runtime.used = { ...node.runtime.used, cpuMicros: (performance.now() - started) * 1000 };
    }, 1);
    const execution = await node.startSandbox({ resources: { cpuCount: 2, memoryMb: 128, diskMb: 512 } });
    await eventually(async () => expect((await samplesOf(execution)).length).toBeGreaterThan(5));
    clearInterval(busy);
    const shares = (await samplesOf(execution)).map(({ cpuUsedPercent }) => cpuUsedPercent).sort((a, b) => a - b);
    expect(shares[Math.floor(shares.length / 2)]).toBeGreaterThan(25);
    expect(shares[Math.floor(shares.length / 2)]).toBeLessThan(75);
    node.runtime.used = { ...node.runtime.used, cpuMicros: 0 };
    await eventually(async () => expect((await samplesOf(execution)).at(-1)?.cpuUsedPercent).toBe(0));
  });

  it("is asked for by time, or for the newest alone", async () => {
    const execution = await node.startSandbox();
    await eventually(async () => expect((await samplesOf(execution)).length).toBeGreaterThan(2));
    expect(await samplesOf(execution, { latest: true })).toHaveLength(1);
    const now = Math.floor(Date.now() / 1000);
    expect((await samplesOf(execution, { fromS: BigInt(now - 60), toS: BigInt(now + 60) })).length).toBeGreaterThan(2);
    expect(await samplesOf(execution, { toS: BigInt(now - 60) })).toEqual([]);
    expect(await samplesOf(execution, { fromS: BigInt(now + 60) })).toEqual([]);
  });

  it("is nothing for what does not run here, and for what cannot be measured", async () => {
    node.runtime.faults.usage = new Error("no such file");
    const execution = await node.startSandbox();
    const other = { sandboxId: execution.sandboxId, executionId: "eother" };
    expect((await node.sandboxes.metrics({ executions: [other] })).executions).toEqual([]);
    expect(await samplesOf(execution)).toEqual([]);
    await node.sandboxes.delete({ epoch, ...execution });
    expect((await node.sandboxes.metrics({ executions: [execution] })).executions).toEqual([]);
  });

  it("begins anew with a sandbox that a new process of the node takes over", async () => {
    const execution = await node.startSandbox();
    await node.stop();
    node = await startTestNode({ timing: quick, after: node });
    await eventually(async () => expect((await samplesOf(execution)).length).toBeGreaterThan(0));
  });
});

describe("what a node writes down of its sandboxes", () => {
  let node: TestNode;
  beforeEach(async () => {
    node = await startTestNode({ timing: quick });
  });
  afterEach(() => node.dispose());

  const read = async (sandboxId: string, more = {}) =>
    await node.sandboxes.logs({ sandboxId, teamId: "team", limit: 100, ...more });
  const said = (sequence: number, message: string, more = {}) => ({
    sequence,
    timeMs: Date.now(),
    level: "info",
    logger: "process",
    message,
    fields: { pid: 7 },
    ...more,
  });

  it("has its start, what its daemon says when somebody reads, and its end, also afterwards", async () => {
    const execution = await node.startSandbox();
    const { log } = node.runtime.sandbox(execution.executionId);
    log.entries = [said(1, "process started"), said(2, "process ended", { level: "warn" })];
    const { entries } = await read(execution.sandboxId);
    expect(entries.map(({ message, logger }) => [logger, message])).toEqual([
      ["node", "Sandbox started"],
      ["process", "process started"],
      ["process", "process ended"],
    ]);
    expect(entries[1]?.fields).toEqual({ pid: "7" });
    log.entries = [said(3, "the last word")];
    await node.sandboxes.delete({ epoch, ...execution });
    const after = await read(execution.sandboxId, { backward: true, limit: 2 });
    expect([after.found, after.entries.map(({ message }) => message)]).toEqual([
      true,
      ["Sandbox ended: it was killed or its time was over", "the last word"],
    ]);
    expect((await read(execution.sandboxId, { leastLevel: SandboxLogLevel.WARN })).entries).toHaveLength(1);
  });

  it("goes on where it was after a restart of the node's process", async () => {
    const execution = await node.startSandbox();
    node.runtime.sandbox(execution.executionId).log.entries = [said(41, "before")];
    await read(execution.sandboxId);
    await node.stop();
    node = await startTestNode({ timing: quick, after: node });
    const { log } = node.runtime.sandbox(execution.executionId);
    log.entries = [said(42, "after")];
    const { entries } = await read(execution.sandboxId);
    expect(entries.map(({ message }) => message)).toEqual([
      "Sandbox started",
      "before",
      "The node's process was restarted; the sandbox went on",
      "after",
    ]);
    expect(log.asked.at(-1)).toBe("/logs?boot=boot1&after=41");
  });

  it("is found by the sandbox's own team only", async () => {
    const { sandboxId } = await node.startSandbox();
    expect(await read(sandboxId, { teamId: "other" })).toMatchObject({ found: false, entries: [] });
    expect(await read("inone")).toMatchObject({ found: false, entries: [] });
  });

  it("takes nothing from a daemon's place that makes no sense, and bounds what does", async () => {
    const { sandboxId, executionId } = await node.startSandbox();
    const { log } = node.runtime.sandbox(executionId);
    log.entries = [said(1, "x", { level: "fatal" })];
    expect((await read(sandboxId)).entries.map(({ message }) => message)).toEqual(["Sandbox started"]);
    log.entries = [
      said(1, "m".repeat(5_000), {
        timeMs: Date.now() + 3_600_000,
        fields: {
          long: "v".repeat(5_000),
          deep: { a: 1 },
          ...Object.fromEntries([..."abcdefghijklmnop"].map((n) => [n, 1])),
        },
      }),
    ];
    const [, told] = (await read(sandboxId)).entries;
    expect(told?.message).toHaveLength(512);
    expect(told?.fields["long"]).toHaveLength(256);
    expect(told?.fields).not.toHaveProperty("deep");
    expect(Object.keys(told?.fields ?? {}).length).toBeLessThanOrEqual(12);
    expect(Number(told?.timeMs)).toBeLessThan(Date.now() + 60_000);
  });

  it("does not hold up a kill when the daemon does not answer", async () => {
    const execution = await node.startSandbox();
    node.runtime.sandbox(execution.executionId).daemon.removeAllListeners("request");
    const began = performance.now();
    await node.sandboxes.delete({ epoch, ...execution });
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it("says that the sandbox ran out of memory", async () => {
    const { sandboxId, executionId } = await node.startSandbox();
    node.runtime.exit(executionId, true);
    await eventually(async () =>
      expect((await read(sandboxId)).entries.map(({ message }) => message)).toEqual([
        "Sandbox started",
        "The sandbox ran out of memory and ended",
        "Sandbox ended: its first process ended",
      ]),
    );
  });
});
