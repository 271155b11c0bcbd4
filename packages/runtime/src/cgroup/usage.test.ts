import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CgroupLayout, currentCgroupLayout } from "./layout.ts";
import { readCgroupUsage } from "./usage.ts";

const mib = 1024 * 1024;

describe("what a sandbox uses", () => {
  let directory = "";
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-cgroup-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  async function files(group: string, contents: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(join(directory, group), { recursive: true });
    for (const [name, content] of Object.entries(contents)) await writeFile(join(directory, group, name), content);
  }

  function separateTrees(kind: "v1" | "hybrid"): CgroupLayout {
    const trees = kind === "hybrid" ? ["cpuacct", "memory", "unified"] : ["cpuacct", "memory"];
    return {
      kind,
      trees: trees.map((name) => join(directory, name)),
      tree: (controller) => (trees.includes(controller) ? join(directory, controller) : undefined),
    };
  }

  const v1Memory = {
    "memory.usage_in_bytes": `${100 * mib}\n`,
    "memory.limit_in_bytes": `${512 * mib}\n`,
    // What stands under the group's own name and under "total_" differs once it has groups below it.
    "memory.stat": `cache ${9 * mib}\ninactive_file ${mib}\nactive_file ${mib}\ntotal_cache ${60 * mib}\ntotal_shmem ${20 * mib}\ntotal_inactive_file ${30 * mib}\ntotal_active_file ${10 * mib}\n`,
  };

  it.each(["v1", "hybrid"] as const)("is read from a tree per controller: %s", async (kind) => {
    await files("cpuacct/castellan-x/e1", { "cpuacct.usage": "1234567890\n" });
    await files("memory/castellan-x/e1", v1Memory);
    expect(await readCgroupUsage(separateTrees(kind), "/castellan-x/e1")).toEqual({
      cpuMicros: 1_234_567,
      memoryBytes: 60 * mib,
      cacheBytes: 40 * mib,
      memoryLimitBytes: 512 * mib,
    });
  });

  it("has no limit on v1 where the kernel shows its largest number", async () => {
    await files("cpuacct/g", { "cpuacct.usage": "1000\n" });
    await files("memory/g", { ...v1Memory, "memory.limit_in_bytes": "9223372036854771712\n" });
    expect(await readCgroupUsage(separateTrees("v1"), "/g")).not.toHaveProperty("memoryLimitBytes");
  });

  // As systemd 252 on Debian 12 shows them, in its order.
  const v2 = {
    "cpu.stat": "usage_usec 5310433\nuser_usec 4120011\nsystem_usec 1190422\nnr_periods 71\nnr_throttled 3\n",
    "memory.current": `${200 * mib}\n`,
    "memory.max": `${1024 * mib}\n`,
    "memory.stat": `anon ${90 * mib}\nfile ${80 * mib}\nkernel ${30 * mib}\nshmem ${20 * mib}\ninactive_anon ${70 * mib}\nactive_anon ${40 * mib}\ninactive_file ${50 * mib}\nactive_file ${10 * mib}\nunevictable 0\nslab_reclaimable ${4 * mib}\nslab_unreclaimable ${2 * mib}\n`,
  };

  it("is read from the one tree of v2", async () => {
    await files("castellan-x/e1", v2);
    expect(await readCgroupUsage(oneTree(), "/castellan-x/e1")).toEqual({
      cpuMicros: 5_310_433,
      memoryBytes: 136 * mib,
      cacheBytes: 64 * mib,
      memoryLimitBytes: 1024 * mib,
    });
  });

  it("has no limit on v2 where the kernel says max", async () => {
    await files("g", { ...v2, "memory.max": "max\n" });
    expect(await readCgroupUsage(oneTree(), "/g")).not.toHaveProperty("memoryLimitBytes");
  });

  it("is nothing once the group is gone", async () => {
    expect(await readCgroupUsage(oneTree(), "/gone")).toBeUndefined();
    expect(await readCgroupUsage(separateTrees("v1"), "/gone")).toBeUndefined();
  });

  it("never shows less than no memory where the counters disagree", async () => {
    await files("g", { ...v2, "memory.current": `${mib}\n` });
    expect(await readCgroupUsage(oneTree(), "/g")).toMatchObject({ memoryBytes: 0, cacheBytes: mib });
  });

  it.runIf(process.getuid?.() === 0)("is what this machine's own kernel counts", async () => {
    const layout = currentCgroupLayout();
    const group = `/castellan-usage-test-${process.pid}`;
    const controllers = [layout.tree("cpuacct"), layout.tree("memory")].flatMap((tree) => tree ?? []);
    const paths = [...new Set(controllers)].map((tree) => join(tree, group));
    for (const path of paths) await mkdir(path);
    const child = spawn("sh", ["-c", worker, "sh", ...paths.map((path) => join(path, "cgroup.procs"))]);
    const exited = once(child, "exit");
    try {
      await once(child.stdout, "data", { signal: AbortSignal.timeout(20_000) });
      const used = await readCgroupUsage(layout, group);
      expect(used?.cpuMicros).toBeGreaterThan(200_000);
      expect(used?.cpuMicros).toBeLessThan(5_000_000);
      expect(used?.memoryBytes).toBeGreaterThan(64 * mib);
      expect(used?.memoryBytes).toBeLessThan(100 * mib);
      // Its 48 MiB file is in the page cache, which nobody counts as used.
      expect(used?.cacheBytes).toBeGreaterThan(40 * mib);
    } finally {
      child.kill("SIGKILL");
      await exited;
      for (const path of paths) await rmdir(path);
      await rm(`/var/tmp/castellan-usage-test-${process.pid}`, { force: true });
    }
  });

  const worker = `for f in "$@"; do echo $$ > "$f"; done; exec python3 -c '
import time
data = bytearray(64 << 20)
with open("/var/tmp/castellan-usage-test-${process.pid}", "wb") as file: file.write(bytes(48 << 20))
end = time.process_time() + 0.2
while time.process_time() < end: pass
print("ready", flush=True)
time.sleep(60)'`;

  function oneTree(): CgroupLayout {
    return { kind: "v2", trees: [directory], tree: () => directory };
  }
});
