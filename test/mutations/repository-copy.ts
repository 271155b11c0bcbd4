import { cp, mkdir, mkdtemp, readdir, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../support/stack.ts";

/** The sources, with the same packages from the registry and the copy's own in place of the workspace's. */
export async function copyOfRepository(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "castellan-mutants-"));
  for (const name of [
    "apps",
    "packages",
    "test",
    "package.json",
    "tsconfig.json",
    "tsconfig.base.json",
    "vitest.config.ts",
  ]) {
    await cp(join(repository, name), join(copy, name), {
      recursive: true,
      filter: (source) => !source.endsWith("/node_modules"),
    });
  }
  const modules = join(repository, "node_modules");
  await mkdir(join(copy, "node_modules/@castellan"), { recursive: true });
  for (const name of await readdir(modules)) {
    if (name !== "@castellan" && name !== ".vite") await symlink(join(modules, name), join(copy, "node_modules", name));
  }
  for (const group of ["apps", "packages"]) {
    for (const name of await readdir(join(copy, group))) {
      await symlink(join(copy, group, name), join(copy, "node_modules/@castellan", name));
      const own = join(repository, group, name, "node_modules");
      await symlink(own, join(copy, group, name, "node_modules")).catch(() => undefined);
    }
  }
  return copy;
}
