import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readHolder, takeInstanceLock } from "./instance-lock.ts";

describe("the lock of a data directory", () => {
  let directory: string;
  let files: { lockFile: string; runningFile: string };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-lock-"));
    files = { lockFile: join(directory, "lock"), runningFile: join(directory, "running.json") };
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it("lets one in, tells the next who it is and how to stop it, and lets that one in afterwards", async () => {
    const lock = await takeInstanceLock(files, "Castellan");
    await lock.announce("http://127.0.0.1:23000");
    await expect(takeInstanceLock(files, "Castellan")).rejects.toThrow(
      `Castellan is already running on ${directory} (process ${process.pid}, http://127.0.0.1:23000).`,
    );
    expect(await readHolder(files.runningFile)).toMatchObject({ pid: process.pid, url: "http://127.0.0.1:23000" });
    await lock.release();
    expect(await readHolder(files.runningFile)).toBeUndefined();
    await (await takeInstanceLock(files, "Castellan")).release();
  });

  it("is free again when its holder was killed, whatever that left on disk", async () => {
    const source = new URL("./instance-lock.ts", import.meta.url).href;
    const script = `import { takeInstanceLock } from ${JSON.stringify(source)};
      await takeInstanceLock(${JSON.stringify(files)}, "Castellan");
      console.log("held");
      setInterval(() => {}, 1000);`;
    const holder = spawn(
      process.execPath,
      ["--conditions=source", "--no-warnings", "--input-type=module", "-e", script],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const gone = once(holder, "exit");
    try {
      await once(holder.stdout, "data");
      await expect(takeInstanceLock(files, "Castellan")).rejects.toThrow(`(process ${holder.pid})`);
    } finally {
      holder.kill("SIGKILL");
      await gone;
    }
    expect(await readHolder(files.runningFile)).toBeUndefined();
    await (await takeInstanceLock(files, "Castellan")).release();
  });
});
