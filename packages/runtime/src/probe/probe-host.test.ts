import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mountPointsBelow } from "../host/mounts.ts";
import { cannotRun } from "../testing/test-rootfs.ts";
import { probeHost } from "./probe-host.ts";

describe("asking a host what it can do", () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-runtime-test-probe-"));
  });

  afterAll(() => rm(directory, { recursive: true }));

  it("says of everything that is missing how to get it", async () => {
    const checks = await probeHost({ directory, init: "/nonexistent/tini" });
    expect(checks.find(({ name }) => name === "tini")).toMatchObject({
      ok: false,
      severity: "required",
      fix: "apt-get install tini",
    });
    for (const { ok, detail, fix } of checks) {
      expect(detail).not.toBe("");
      expect(fix === "").toBe(ok);
    }
  });

  it.skipIf(cannotRun !== undefined)(
    "finds that this one can run sandboxes, and leaves no trace of having tried",
    async () => {
      const checks = await probeHost({ directory });
      expect(checks.filter(({ ok, severity }) => !ok && severity === "required")).toEqual([]);
      expect(await readdir(directory)).toEqual([]);
      expect(mountPointsBelow(directory)).toEqual([]);
    },
  );
});
