import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listTemplates, loadTemplate, registerTemplate } from "../template-store.ts";
import { baseBuildHash, buildBaseTemplate } from "./build-base-template.ts";
import { baseSettings } from "./recipe.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "castellan-base-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Port 9 is `discard`: nothing listens there. */
const deadMirror = "http://127.0.0.1:9/debian";

describe.runIf(process.getuid?.() === 0)("building the base template", () => {
  it("does nothing when the present build matches the recipe", async () => {
    await mkdir(join(dir, "base/1/rootfs"), { recursive: true });
    const present = await registerTemplate(dir, {
      schemaVersion: 1,
      ...baseSettings,
      buildHash: await baseBuildHash(),
      buildId: "1",
      createdAt: "2026-01-01T00:00:00.000Z",
    });
    expect(await buildBaseTemplate({ dir, mirror: deadMirror })).toEqual({ template: present, built: false });
  });

  it("takes over changed settings without a build", async () => {
    await mkdir(join(dir, "base/1/rootfs"), { recursive: true });
    await registerTemplate(dir, {
      schemaVersion: 1,
      ...baseSettings,
      memoryMb: 128,
      buildHash: await baseBuildHash(),
      buildId: "1",
      createdAt: "2026-01-01T00:00:00.000Z",
    });
    const { template, built } = await buildBaseTemplate({ dir, mirror: deadMirror });
    expect({ memoryMb: template.memoryMb, built }).toEqual({ memoryMb: baseSettings.memoryMb, built: false });
  });

  it("keeps the old build when a new one fails, and leaves nothing half-made", async () => {
    await mkdir(join(dir, "base/old/rootfs"), { recursive: true });
    await mkdir(join(dir, "base/.building-killed/rootfs"), { recursive: true });
    await registerTemplate(dir, {
      schemaVersion: 1,
      ...baseSettings,
      buildHash: "0".repeat(64),
      buildId: "old",
      createdAt: "2026-01-01T00:00:00.000Z",
    });
    await expect(buildBaseTemplate({ dir, mirror: deadMirror })).rejects.toMatchObject({ code: "unavailable" });
    expect((await loadTemplate(dir, "base")).buildId).toBe("old");
    expect((await readdir(join(dir, "base"))).sort()).toEqual(["old", "template.json"]);
  });

  it("can be cancelled on the way, and leaves nothing half-made", async () => {
    const abort = new AbortController();
    const build = buildBaseTemplate({
      dir,
      signal: abort.signal,
      onProgress: (_, step) => {
        if (step.includes("package lists")) abort.abort();
      },
    });
    await expect(build).rejects.toMatchObject({ code: "cancelled" });
    expect(await readdir(join(dir, "base"))).toEqual([]);
  });

  it("takes up where a killed build was, whatever it was doing, and ends what it left at work", async () => {
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    for (const step of ["package lists", "Downloading Debian's core", "Unpacking Debian's core"]) {
      const build = spawn(process.execPath, ["--conditions=source", main, dir], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      let said = "";
      build.stdout.on("data", (text: Buffer) => {
        said += text;
      });
      await expect.poll(() => said, { timeout: 60_000 }).toContain(step);
      build.kill("SIGKILL");
      await once(build, "exit");
      expect((await listTemplates(dir)).templates).toEqual([]);
      // With the mirror away this one fails, after it has cleared up.
      await expect(buildBaseTemplate({ dir, mirror: deadMirror })).rejects.toMatchObject({ code: "unavailable" });
      expect(await readdir(join(dir, "base"))).toEqual([]);
      expect(await workersOn(dir)).toEqual([]);
    }
  }, 240_000);

  it("says that the disk is too small, and makes nothing", async () => {
    await using disk = await smallDisk(join(dir, "small"), 300);
    await expect(buildBaseTemplate({ dir: disk.path })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/has \d+ MB free; building the base template needs 1500 MB/),
    });
    expect(await readdir(join(disk.path, "base")).catch(() => [])).toEqual([]);
  });

  it("says that the disk ran full on the way, and leaves no half of a template", async () => {
    await using disk = await smallDisk(join(dir, "full"), 2200);
    const build = buildBaseTemplate({
      dir: disk.path,
      onProgress: (_, step) => {
        if (step === "Unpacking Debian's core")
          spawnSync("fallocate", ["--length", "1800M", join(disk.path, "filler")]);
      },
    });
    await expect(build).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("ran full while the base template was built"),
    });
    expect(await readdir(join(disk.path, "base"))).toEqual([]);
    expect(await listTemplates(disk.path)).toEqual({ templates: [], broken: [] });
  }, 240_000);
});

/** A file system of its own on a loop device. */
async function smallDisk(path: string, megabytes: number): Promise<AsyncDisposable & { readonly path: string }> {
  const image = `${path}.img`;
  await mkdir(path);
  for (const [program, ...args] of [
    ["truncate", "--size", `${megabytes}M`, image],
    ["mkfs.ext4", "-q", "-F", "-m", "0", image],
    ["mount", "-o", "loop", image, path],
  ]) {
    const { status, stderr } = spawnSync(program ?? "", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      // The loop device goes with its mount.
      spawnSync("umount", [path]);
      await rm(image, { force: true });
    },
  };
}

/** Processes whose command line names the directory. */
async function workersOn(path: string): Promise<readonly string[]> {
  const lines = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => readFile(`/proc/${name}/cmdline`, "latin1").catch(() => "")),
  );
  return lines.filter((line) => line.includes(`${path}/base`));
}
