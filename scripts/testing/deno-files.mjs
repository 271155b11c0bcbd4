import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../setup/paths.mjs";

/** Packages whose tests do not run on Deno. */
const nodeOnly = new Set([
  // It gets file descriptors from system calls, and Deno's `node:fs` knows only those that Deno itself has opened.
  "runtime",
]);

/** The packages' unit tests, relative to the top, that match one of the paths (all of them without any), as vitest matches. */
export function denoTestFiles(paths) {
  return readdirSync(join(root, "packages"))
    .filter((name) => !nodeOnly.has(name))
    .map((name) => `packages/${name}/src`)
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true })
        .filter((name) => name.endsWith(".test.ts"))
        .map((name) => `${folder}/${name}`),
    )
    .filter((file) => paths.length === 0 || paths.some((path) => file.includes(path)))
    .sort();
}
