import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { outOfMemoryKills, readUsage } from "./cgroup.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "envd-cgroup-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function lay(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
}

describe("the sandbox's control group", () => {
  it("is read in version 2", () => {
    lay({
      "memory.max": "536870912\n",
      "memory.current": "104857600\n",
      "memory.stat": "anon 5\nfile 4096\nfile_mapped 7\n",
      "memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n",
      "cpu.max": "150000 100000\n",
      "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
    });
    expect(readUsage(directory)).toEqual({
      memoryLimit: 536870912,
      memoryUsed: 104857600,
      memoryCache: 4096,
      cpuMs: 2500,
      cpuLimit: 1.5,
    });
    expect(outOfMemoryKills(directory)).toBe(2);
  });

  it("is read in version 1", () => {
    lay({
      "memory/memory.limit_in_bytes": "536870912\n",
      "memory/memory.usage_in_bytes": "104857600\n",
      "memory/memory.stat": "cache 1\ntotal_cache 4096\n",
      "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
      "cpu/cpu.cfs_quota_us": "200000\n",
      "cpu/cpu.cfs_period_us": "100000\n",
      "cpuacct/cpuacct.usage": "2500000000\n",
    });
    expect(readUsage(directory)).toEqual({
      memoryLimit: 536870912,
      memoryUsed: 104857600,
      memoryCache: 4096,
      cpuMs: 2500,
      cpuLimit: 2,
    });
    expect(outOfMemoryKills(directory)).toBe(2);
  });

  it("that has no limits, or is hidden, says so", () => {
    expect(readUsage(directory)).toEqual({});
    lay({
      "memory/memory.limit_in_bytes": "9223372036854771712\n",
      "cpu/cpu.cfs_quota_us": "-1\n",
      "cpu/cpu.cfs_period_us": "100000\n",
    });
    expect(readUsage(directory)).toEqual({});
    lay({ "memory.max": "max\n", "cpu.max": "max 100000\n" });
    expect(readUsage(directory)).toEqual({});
    expect(outOfMemoryKills(directory)).toBe(0);
  });
});
