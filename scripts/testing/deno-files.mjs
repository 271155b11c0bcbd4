import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../setup/paths.mjs";

/** Packages whose sources are meant to run on Deno too, and whose tests prove it there. */
const packages = ["client", "contracts", "domain", "rest", "store", "telemetry"];

/** Their unit tests, relative to the top, that match one of the paths (all of them without any), as vitest matches. */
export function denoTestFiles(paths) {
  return packages
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
