import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFile } from "./file-lock.ts";

let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "castellan-lock-"));
  path = join(dir, "lock");
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe("a file lock", () => {
  it("lets the second wait, say so, and go on once the first has released it", async () => {
    const first = await lockFile(path);
    const order: string[] = [];
    const second = lockFile(path, undefined, () => order.push("waits")).then((lock) => {
      order.push("has it");
      return lock;
    });
    await expect.poll(() => order).toEqual(["waits"]);
    order.push("released");
    await first.release();
    await (await second).release();
    expect(order).toEqual(["waits", "released", "has it"]);
  });

  it("stops waiting when cancelled", async () => {
    const first = await lockFile(path);
    const abort = new AbortController();
    const second = lockFile(path, abort.signal, () => abort.abort());
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    await first.release();
  });

  it("is free again after its holder was killed outright", async () => {
    const script = fileURLToPath(new URL("./testing/hold-lock.ts", import.meta.url));
    const options = process.versions["deno"] === undefined ? ["--conditions=source"] : ["run", "--allow-all"];
    const holder = spawn(process.execPath, [...options, script, path], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    holder.kill("SIGKILL");
    const lock = await lockFile(path, AbortSignal.timeout(5000));
    await lock.release();
  });

  it("says what is wrong when the file cannot be made", async () => {
    await expect(lockFile(join(dir, "missing/lock"))).rejects.toMatchObject({ code: "unavailable" });
  });
});
