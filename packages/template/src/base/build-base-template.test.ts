import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadTemplate, registerTemplate } from "../template-store.ts";
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
});
