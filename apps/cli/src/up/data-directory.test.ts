import { chmod, chown, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDataDirectory } from "./data-directory.ts";

describe("the data directory", () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "castellan-data-"));
    await chmod(parent, 0o755);
  });
  afterEach(async () => {
    await rm(parent, { recursive: true, force: true });
  });

  it("is made so that others can cross it, as a sandbox's root must, and neither list nor read it", async () => {
    const data = await openDataDirectory(join(parent, "a/b"));
    expect((await stat(data.path)).mode & 0o777).toBe(0o711);
  });

  it("is closed to others when it was open to them", async () => {
    await mkdir(join(parent, "open"));
    await chmod(join(parent, "open"), 0o777);
    const data = await openDataDirectory(join(parent, "open"));
    expect((await stat(data.path)).mode & 0o777).toBe(0o711);
  });

  it("is refused where a sandbox's root could not reach it", async () => {
    await chmod(parent, 0o700);
    await expect(openDataDirectory(join(parent, "data"))).rejects.toThrow(`${parent} is closed to other users`);
  });

  it("is refused when it is a file, cannot be made or belongs to another user", async () => {
    await writeFile(join(parent, "file"), "");
    await expect(openDataDirectory(join(parent, "file"))).rejects.toThrow(/cannot be made|is not a directory/);
    await expect(openDataDirectory(join(parent, "file/below"))).rejects.toThrow(/cannot be made/);
    if (process.getuid?.() !== 0) return;
    await mkdir(join(parent, "theirs"));
    await chown(join(parent, "theirs"), 65_534, 65_534);
    await expect(openDataDirectory(join(parent, "theirs"))).rejects.toThrow(/belongs to another user/);
  });
});
