import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TemplateDescription } from "./template.ts";
import { templateDirectory } from "./template-source.ts";
import {
  listStaleBuilds,
  listTemplates,
  loadTemplate,
  registerTemplate,
  removeBuild,
  resolveTemplate,
} from "./template-store.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "castellan-templates-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function described(templateId: string, buildId: string, aliases: readonly string[] = []): TemplateDescription {
  return {
    schemaVersion: 1,
    templateId,
    aliases,
    cpuCount: 2,
    memoryMb: 1024,
    diskMb: 2048,
    envdVersion: "0.6.13",
    source: "test",
    buildHash: "a".repeat(64),
    buildId,
    createdAt: "2026-01-01T00:00:00.000Z",
  };
}

async function build(templateId: string, buildId: string, aliases: readonly string[] = []) {
  await mkdir(join(dir, templateId, buildId, "rootfs"), { recursive: true });
  return await registerTemplate(dir, described(templateId, buildId, aliases));
}

describe("the templates' directory", () => {
  it("holds nothing before it exists", async () => {
    expect(await listTemplates(join(dir, "missing"))).toEqual({ templates: [], broken: [] });
  });

  it("finds a template by its id and by each alias", async () => {
    const template = await build("abc", "1", ["base", "debian"]);
    expect(template.rootfs).toBe(join(dir, "abc/1/rootfs"));
    expect(await resolveTemplate(dir, "abc")).toEqual(template);
    expect(await resolveTemplate(dir, "debian")).toEqual(template);
  });

  it("offers a node what it registers with", async () => {
    await build("abc", "1", ["base"]);
    const templates = templateDirectory(dir);
    expect(await templates.list()).toEqual([
      {
        templateId: "abc",
        aliases: ["base"],
        resources: { cpuCount: 2, memoryMb: 1024, diskMb: 2048 },
        envdVersion: "0.6.13",
      },
    ]);
    expect(await templates.rootfs("base")).toBe(join(dir, "abc/1/rootfs"));
  });

  it("says not_found for an unknown name, and for one that would leave the directory", async () => {
    await build("abc", "1");
    await expect(resolveTemplate(dir, "nope")).rejects.toMatchObject({ code: "not_found" });
    await expect(loadTemplate(dir, "../abc")).rejects.toMatchObject({ code: "not_found" });
    await expect(loadTemplate(dir, "nope")).rejects.toMatchObject({ code: "not_found" });
  });

  it("reports a broken template and still offers the others", async () => {
    await build("good", "1");
    await build("broken", "1");
    await writeFile(join(dir, "broken/template.json"), "{}");
    const { templates, broken } = await listTemplates(dir);
    expect(templates.map((template) => template.templateId)).toEqual(["good"]);
    expect(broken).toMatchObject([{ templateId: "broken" }]);
  });

  it("refuses a root filesystem that is a link, so none is ever the host's own", async () => {
    await build("abc", "1");
    await rm(join(dir, "abc/1/rootfs"), { recursive: true });
    await symlink("/", join(dir, "abc/1/rootfs"));
    await expect(loadTemplate(dir, "abc")).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("does not show a template whose first build has not ended", async () => {
    await mkdir(join(dir, "abc/.building-1/rootfs"), { recursive: true });
    expect(await listTemplates(dir)).toEqual({ templates: [], broken: [] });
  });
});

describe("registering a build", () => {
  it("replaces the template's build and keeps the old one's files", async () => {
    const before = await build("abc", "1");
    const after = await build("abc", "2");
    expect((await loadTemplate(dir, "abc")).rootfs).toBe(after.rootfs);
    expect((await stat(before.rootfs)).isDirectory()).toBe(true);
    expect(await listStaleBuilds(dir)).toEqual([{ templateId: "abc", buildId: "1", path: join(dir, "abc/1") }]);
  });

  it("refuses a name that another template has", async () => {
    await build("one", "1", ["base"]);
    await expect(build("two", "1", ["base"])).rejects.toMatchObject({ code: "conflict" });
    await expect(build("two", "1", ["one"])).rejects.toMatchObject({ code: "conflict" });
    await expect(build("base", "1")).rejects.toMatchObject({ code: "conflict" });
  });

  it("refuses a build without files", async () => {
    await expect(registerTemplate(dir, described("abc", "1"))).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("leaves no temporary file", async () => {
    await build("abc", "1");
    expect((await readdir(join(dir, "abc"))).sort()).toEqual(["1", "template.json"]);
  });
});

describe("removing a stale build", () => {
  it("removes its files", async () => {
    await build("abc", "1");
    await build("abc", "2");
    for (const stale of await listStaleBuilds(dir)) await removeBuild(stale);
    expect((await readdir(join(dir, "abc"))).sort()).toEqual(["2", "template.json"]);
  });

  it.runIf(process.getuid?.() === 0)("refuses one that a sandbox has mounted", async () => {
    const { rootfs } = await build("abc", "1");
    await build("abc", "2");
    const mountPoint = join(dir, "mounted");
    await mkdir(mountPoint);
    execFileSync("mount", ["--bind", rootfs, mountPoint]);
    try {
      const [stale] = await listStaleBuilds(dir);
      if (stale === undefined) throw new Error("there must be a stale build");
      await expect(removeBuild(stale)).rejects.toMatchObject({ code: "conflict" });
    } finally {
      execFileSync("umount", [mountPoint]);
    }
  });
});
