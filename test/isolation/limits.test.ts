import { readFileSync } from "node:fs";
import { readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sandbox } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canRunSandboxes } from "../support/stack.ts";
import { until } from "../support/until.ts";
import { exhaustions } from "./exhaustion.ts";
import { isolationUnderTest, type Subject, startSubject, tryInside } from "./subject.ts";

const isolation = isolationUnderTest();
const mebibyte = 1024 * 1024;
/** What others on the machine may take meanwhile; every attempt to take memory would take three times as much. */
const slack = 1024 * mebibyte;

describe.runIf(canRunSandboxes)(`one sandbox (${isolation}) cannot use up`, () => {
  let subject: Subject;
  let limits: { readonly memory: number; readonly disk: number };

  beforeAll(async () => {
    subject = await startSubject(isolation);
    const { memoryMB } = await subject.attacker.getInfo();
    limits = { memory: memoryMB * mebibyte, disk: 2048 * mebibyte };
    await giveTools(subject.attacker);
  });
  afterAll(async () => {
    await subject?.dispose();
  });

  test.each(exhaustions.map((entry) => [entry.name, entry] as const))("%s", async (_name, entry) => {
    const { stack, neighbour, targets } = subject;
    // gVisor has nothing inside that limits memory or processes: running out of either ends the sandbox, which alone pays.
    const mayEnd = entry.sandbox !== undefined || isolation === "gvisor";
    const attacker = mayEnd ? await subject.create() : subject.attacker;
    if (attacker !== subject.attacker) await giveTools(attacker);
    const before = await hostState(stack.data);
    const watching = watch(neighbour, stack.data);
    const program = "/tmp/exhaustion.py";
    await attacker.files.write(program, `exec(open("/opt/prelude.py").read())\n${entry.tries}`, { user: "root" });
    const ended = await tryInside(attacker, `python3 ${program}`, {
      user: entry.as,
      timeoutMs: entry.seconds * 1000,
      envs: { TARGETS: JSON.stringify(targets) },
    });
    const seen = await watching.stop();

    if (process.env["CASTELLAN_TEST_VERBOSE"] !== undefined)
      console.log(entry.name, { ...ended, stdout: ended.stdout.slice(-1500) }, seen, before);
    // The one beside was served all the time, by the node and by the kernel.
    expect(seen.failures).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(15_000);
    // What the host had left shrank by no more than the sandbox's limits.
    expect(before.memory - seen.leastMemory).toBeLessThan(limits.memory * 1.25 + slack);
    expect(before.disk - seen.leastDisk).toBeLessThan(limits.disk + slack);
    expect(seen.mostTasks - before.tasks).toBeLessThan(1024 + 500);
    expect(seen.mostConnections - before.connections).toBeLessThan(4096 + 2000);
    if (isolation === "runc") {
      if (entry.says !== undefined) expect(ended.stdout).toMatch(entry.says);
      if (entry.fails !== undefined) expect(ended).toMatchObject({ error: expect.stringMatching(entry.fails) });
    }

    if (!mayEnd) {
      await until(async () => (await tryInside(attacker, "echo alive")).stdout === "alive\n", 20_000);
    } else {
      await livesOrEndedFor(attacker, () => stack.log());
      expect(await attacker.kill().catch(() => false)).toEqual(expect.any(Boolean));
    }
  });

  test("more disk than is shown: df tells the sandbox's own size and what is used of it", async () => {
    const df = async () => {
      const { stdout } = await subject.attacker.commands.run("sync; df -B1 --output=size,used,avail / | tail -1");
      return stdout.trim().split(/\s+/).map(Number);
    };
    const [size = 0, used = 0] = await df();
    expect(size / limits.disk).toBeGreaterThan(0.9);
    expect(size).toBeLessThanOrEqual(limits.disk);
    await subject.attacker.commands.run("head -c 200M /dev/urandom > /tmp/known");
    const [sameSize, more = 0] = await df();
    expect(sameSize).toBe(size);
    expect((more - used) / mebibyte).toBeGreaterThan(195);
    expect((more - used) / mebibyte).toBeLessThan(210);
    await subject.attacker.commands.run("rm /tmp/known");
  });

  // gVisor's /dev takes no size; what is put there is memory of the sandbox, which ends with it.
  test.runIf(isolation === "runc")(
    "memory through file systems in memory: none inside is larger than half of the sandbox's",
    async () => {
      const { stdout } = await subject.attacker.commands.run(
        "df -B1 --output=fstype,size,target -t tmpfs | tail -n +2",
      );
      for (const line of stdout.trim().split("\n")) {
        const [, size, target] = line.trim().split(/\s+/);
        // Read-only ones hold nothing that anybody put there.
        if ((await tryInside(subject.attacker, `touch ${target}/probe`, { user: "root" })).exitCode !== 0) continue;
        expect(Number(size), target).toBeLessThanOrEqual(limits.memory / 2);
      }
    },
  );
});

async function giveTools(sandbox: Sandbox): Promise<void> {
  const prelude = await readFile(join(import.meta.dirname, "prelude.py"), "utf8");
  await sandbox.files.write("/opt/prelude.py", prelude, { user: "root" });
}

/**
 * It answers, or says that it is full, or its end was told together with the reason. Full of programs that want its
 * processor it may also be too slow to answer in time: that is its own loss, as long as it can be killed.
 */
async function livesOrEndedFor(sandbox: Sandbox, log: () => string): Promise<void> {
  const reasons = /unavailable|resource|limit|memory|not found|fork|EAGAIN|deadline_exceeded/i;
  const { stdout, error } = await tryInside(sandbox, "echo alive", { timeoutMs: 30_000 });
  if (stdout === "alive\n") return;
  const told = log()
    .split("\n")
    .filter((line) => line.includes(sandbox.sandboxId) && /ran out of memory|ended/.test(line));
  if (told.length === 0) expect(error).toMatch(reasons);
}

async function hostState(data: string) {
  const { bavail, bsize } = await statfs(data);
  return { memory: availableMemory(), disk: bavail * bsize, tasks: tasks(), connections: connections() };
}

function availableMemory(): number {
  return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;
}

function tasks(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(/[ /]/)[4]);
}

function connections(): number {
  return Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_count", "utf8"));
}

/** Uses the sandbox beside over and over, and keeps what the host had least of. */
function watch(neighbour: Sandbox, data: string) {
  const seen = {
    failures: [] as string[],
    slowestMs: 0,
    leastMemory: Number.POSITIVE_INFINITY,
    leastDisk: Number.POSITIVE_INFINITY,
    mostTasks: 0,
    mostConnections: 0,
  };
  // What the kernel has once for all: the neighbour takes one of each.
  const use =
    'python3 -c \'import ctypes, os, pty; l = ctypes.CDLL(None); assert l.inotify_init() >= 0; pty.openpty(); os.pipe(); c = ctypes.c_ulong(0); assert os.uname().machine != "x86_64" or l.syscall(206, 8, ctypes.byref(c)) == 0; assert l.mq_open(b"/one", 0o102, 0o600, None) >= 0; t = ctypes.c_int(); assert l.timer_create(0, None, ctypes.byref(ctypes.c_void_p())) == 0; print("served")\'';
  let stopped = false;
  const sampling = setInterval(() => {
    seen.leastMemory = Math.min(seen.leastMemory, availableMemory());
    seen.mostTasks = Math.max(seen.mostTasks, tasks());
    seen.mostConnections = Math.max(seen.mostConnections, connections());
  }, 100);
  const serving = (async () => {
    while (!stopped) {
      const { stdout, error, ms } = await tryInside(neighbour, use, { timeoutMs: 30_000 });
      if (stdout !== "served\n") seen.failures.push(`${stdout}${error}`);
      seen.slowestMs = Math.max(seen.slowestMs, ms);
      seen.leastDisk = Math.min(seen.leastDisk, (await hostState(data)).disk);
      await sleep(150);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await serving;
      clearInterval(sampling);
      return seen;
    },
  };
}
