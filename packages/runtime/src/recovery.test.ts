import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createSandboxRuntime, type SandboxRuntime } from "./index.ts";
import { belongings, endNode, nothing, optionsAt, runInside, specFor } from "./testing/test-node.ts";
import { cannotRun, testRootfs } from "./testing/test-rootfs.ts";

// Real sandboxes on a machine that may be busy.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 300_000 });

const options = optionsAt({ devicePrefix: "ctr", part: 2 });
/** Another node of the same machine, with a prefix that begins with the first one's. */
const neighbour = optionsAt({ devicePrefix: "ctr2", part: 3 });
const table = { tables: [expect.stringContaining("castellan_ctr")] };

interface Crashing {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly said: Record<string, unknown>[];
  kill(): Promise<void>;
}

describe.skipIf(cannotRun !== undefined)(`a node process that is killed${cannotRun ? ` (${cannotRun})` : ""}`, () => {
  const children: Crashing[] = [];
  const nodes: { runtime: SandboxRuntime; of: typeof options }[] = [];

  beforeAll(async () => {
    await testRootfs();
  });

  afterEach(async () => {
    for (const { kill } of children.splice(0)) await kill();
    for (const { runtime } of nodes.splice(0)) await runtime.close({ stopAll: true });
    for (const of of [options, neighbour]) {
      const rest = await createSandboxRuntime(of);
      await rest.recover();
      await endNode(rest, of);
    }
  });

  afterAll(async () => {
    expect(await belongings(options)).toEqual(nothing);
    expect(await belongings(neighbour)).toEqual(nothing);
    await rm(options.stateDir, { recursive: true, force: true });
  });

  function crashing(ids: string[]): Crashing {
    const script = fileURLToPath(new URL("testing/crashing-node.ts", import.meta.url));
    const args = ["--conditions=source", script, options.devicePrefix, "2", "runc", ...ids];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const said: Record<string, unknown>[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line)));
    const kill = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    };
    const crash = { child, said, kill };
    children.push(crash);
    return crash;
  }

  async function untilSaid(crash: Crashing, word: string, value?: string): Promise<void> {
    for (const deadline = performance.now() + 90_000; performance.now() < deadline; await sleep(2)) {
      if (crash.said.some((event) => word in event && (value === undefined || event[word] === value))) return;
    }
    throw new Error(`the node never said ${word}`);
  }

  async function comeBack(of = options): Promise<{ runtime: SandboxRuntime; recovered: string[] }> {
    const runtime = await createSandboxRuntime(of);
    nodes.push({ runtime, of });
    return { runtime, recovered: (await runtime.recover()).map(({ executionId }) => executionId).sort() };
  }

  it("finds its sandboxes running, with their processes, their addresses and their rules", async () => {
    const before = crashing(["one", "two"]);
    await untilSaid(before, "started", "two");
    await before.kill();
    const { runtime, recovered } = await comeBack();
    expect(recovered).toEqual(["one", "two"]);
    expect((await runInside(runtime, "one", "echo here")).stdout).toBe("here\n");
    await runtime.setEgress("one", { allowOut: [], denyOut: ["203.0.113.0/24"] });
    const third = await runtime.start(await specFor("three"));
    const slots = new Set(runtime.list().map(({ slot }) => slot));
    expect(slots.size).toBe(3);
    expect(third.address).not.toBe(runtime.list().find(({ executionId }) => executionId === "one")?.address);
    for (const id of ["one", "two", "three"]) await runtime.stop(id);
    expect(await belongings(options)).toEqual({ ...nothing, ...table });
  });

  it("hears of a sandbox that ended after it was taken over", async () => {
    const before = crashing(["one"]);
    await untilSaid(before, "started", "one");
    await before.kill();
    const { runtime } = await comeBack();
    const ended = new Promise<string>((resolve) => runtime.onExit(({ executionId }) => resolve(executionId)));
    const [{ pid = 0 } = {}] = runtime.list();
    process.kill(pid, "SIGKILL");
    expect(await ended).toBe("one");
  });

  it("clears what ended while nobody looked", async () => {
    const before = crashing(["one"]);
    await untilSaid(before, "started", "one");
    await before.kill();
    const { runtime } = await comeBack();
    const [{ pid = 0 } = {}] = runtime.list();
    await runtime.close({ stopAll: false });
    nodes.splice(0);
    process.kill(pid, "SIGKILL");
    const { recovered } = await comeBack();
    expect(recovered).toEqual([]);
    expect(await belongings(options)).toEqual({ ...nothing, ...table });
  });

  it("leaves nothing of a start, at whatever instant it dies", async () => {
    for (const delay of [0, 2, 5, 8, 11, 14, 18, 22, 27, 33, 40, 48, 57, 68, 80, 95]) {
      const before = crashing(["half"]);
      await untilSaid(before, "recovered");
      await sleep(delay);
      await before.kill();
      const { runtime, recovered } = await comeBack();
      // It runs, wholly, or it does not.
      if (recovered.length > 0) {
        expect((await runInside(runtime, "half", "echo whole")).stdout).toBe("whole\n");
        await runtime.stop("half");
      }
      expect(await belongings(options)).toEqual({ ...nothing, ...table });
      // What the dead process began must not be finished later.
      await sleep(150);
      expect(await belongings(options)).toEqual({ ...nothing, ...table });
      await runtime.close({ stopAll: true });
      nodes.splice(0);
    }
  });

  it("leaves nothing of a stop, at whatever instant it dies", async () => {
    for (const delay of [0, 2, 4, 7, 10, 14, 18, 23, 30]) {
      const before = crashing(["stop-1"]);
      await untilSaid(before, "stopping", "stop-1");
      await sleep(delay);
      await before.kill();
      const { runtime, recovered } = await comeBack();
      for (const id of recovered) await runtime.stop(id);
      expect(await belongings(options)).toEqual({ ...nothing, ...table });
      await runtime.close({ stopAll: true });
      nodes.splice(0);
    }
  });

  it("never touches another node of the machine", async () => {
    const { runtime: other } = await comeBack(neighbour);
    await other.start(await specFor("theirs"));
    const theirs = await belongings(neighbour);
    const before = crashing(["one"]);
    await untilSaid(before, "started", "one");
    await before.kill();
    const { runtime } = await comeBack();
    await runtime.close({ stopAll: true });
    expect(await belongings(neighbour)).toEqual(theirs);
    expect((await runInside(other, "theirs", "echo fine")).stdout).toBe("fine\n");
  });
});
