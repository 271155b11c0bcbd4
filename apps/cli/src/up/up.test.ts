import { execFile, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pinnedNode } from "../version.ts";
import { dataDirectoryAt } from "./data-directory.ts";
import { takeInstanceLock } from "./instance-lock.ts";

describe.skipIf(process.getuid?.() !== 0)("castellan up", () => {
  let data: string;
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "castellan-up-test-"));
    await chmod(data, 0o711);
  });
  afterEach(async () => {
    await rm(data, { recursive: true, force: true });
  });

  const run = (file: string, args: readonly string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      execFile(file, args, { timeout: 20_000 }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  const wrapper = fileURLToPath(new URL("../../bin/castellan.mjs", import.meta.url));
  const up = (...args: string[]) => run(pinnedNode, [wrapper, "up", "--data", data, ...args]);

  it("does not start without a template, says how to get it, and leaves no key behind", async () => {
    const { code, stdout, stderr } = await up();
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/There is no base template in .*\n`npm start` builds it/);
    expect(await readdir(data)).toEqual(["lock"]);
  });

  it("does not start twice on one directory", async () => {
    const lock = await takeInstanceLock(dataDirectoryAt(data), "Castellan");
    try {
      const { code, stderr } = await up();
      expect(code).toBe(1);
      expect(stderr).toContain(`already running on ${data} (process ${process.pid})`);
    } finally {
      await lock.release();
    }
  });

  it("refuses a setting that makes no sense before it touches anything", async () => {
    const { code, stderr } = await up("--port", "seventy");
    expect(code).toBe(1);
    expect(stderr).toBe('castellan: --port "seventy" must be a whole number from 1 to 65535.\n');
    expect(await readdir(data)).toEqual([]);
  });

  // A clone in root's home is closed to everybody else.
  const asNobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
  const reachable = spawnSync("setpriv", [...asNobody, "test", "-r", wrapper]).status === 0;

  it.skipIf(!reachable)("does not start without root, and says what to do", async () => {
    const { code, stderr } = await run("setpriv", [...asNobody, pinnedNode, wrapper, "up", "--data", data]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/needs root.*\nRun it as root/);
  });
});
