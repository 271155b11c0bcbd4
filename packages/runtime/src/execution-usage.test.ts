import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { SandboxRuntime } from "./index.ts";
import { belongings, endNode, nothing, optionsAt, runInside, specFor, startNode } from "./testing/test-node.ts";
import { cannotRun, testRootfs } from "./testing/test-rootfs.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

const options = optionsAt({ devicePrefix: "cu", part: 14 });
const mib = 1024 * 1024;

describe.skipIf(cannotRun !== undefined)(`what a run uses${cannotRun ? ` (${cannotRun})` : ""}`, () => {
  let node: SandboxRuntime;
  beforeAll(async () => {
    await testRootfs();
    node = await startNode(options);
  });
  afterAll(async () => {
    await endNode(node, options);
    expect(await belongings(options)).toEqual(nothing);
  });

  it("is its own processor time, memory and disk, and nothing once it is stopped", async () => {
    await node.start(await specFor("used", { resources: { cpuCount: 2, memoryMb: 512, diskMb: 256 } }));
    try {
      const df = async () => (await runInside(node, "used", "df -B1 --output=size,used,avail / | tail -1")).stdout;
      await df();
      const before = await node.usage("used");
      expect(before.memoryLimitBytes).toBe(512 * mib);
      expect(before.memoryBytes).toBeGreaterThan(mib);
      expect(before.memoryBytes).toBeLessThan(200 * mib);

      await runInside(node, "used", "head -c 50M /dev/urandom > /root/filled; sync");
      const after = await node.usage("used");
      expect(after.diskUsedBytes - before.diskUsedBytes).toBeGreaterThanOrEqual(50 * mib);
      expect(after.diskUsedBytes - before.diskUsedBytes).toBeLessThan(52 * mib);
      expect(after.cpuMicros).toBeGreaterThan(before.cpuMicros);
      const [size = 0, , available = 0] = (await df()).trim().split(/\s+/).map(Number);
      expect([after.diskTotalBytes, after.diskUsedBytes]).toEqual([size, size - available]);
    } finally {
      await node.stop("used");
    }
    await expect(node.usage("used")).rejects.toMatchObject({ code: "not_found" });
  });
});
