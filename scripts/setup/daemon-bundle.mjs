import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.mjs";
import { Failure } from "./failure.mjs";
import { projectPath, root, stateDirectory } from "./paths.mjs";
import { step } from "./steps.mjs";

/** What goes into the bundle; package-lock.json stands for the npm packages in it. */
const inputs = ["apps/envd", "packages/contracts/src", "package-lock.json"];
const notInputs = new Set(["node_modules", "dist", ".turbo"]);
const output = join(root, "apps/envd/dist/envd.mjs");
const stamp = join(stateDirectory, "envd-bundle.sha256");

/**
 * Bundles the daemon that runs in every sandbox. Left alone while nothing of it has changed: running sandboxes have the
 * file mounted.
 */
export async function bundleDaemon(signal) {
  const hash = hashOf(inputs);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  await step("Bundling the sandbox daemon", async () => {
    const { ok, output: said } = await run("npm", ["run", "bundle", "--workspace=@castellan/envd"], {
      cwd: root,
      env: { ...process.env, PATH: projectPath() },
      signal,
    });
    if (!ok) throw new Failure(`The daemon's bundle could not be built:\n${said}`);
    mkdirSync(stateDirectory, { recursive: true });
    writeFileSync(stamp, hash);
  });
}

function hashOf(paths) {
  const hash = createHash("sha256");
  const add = (path) => {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update("\0");
  };
  const walk = (path) => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const child = join(path, entry.name);
      if (entry.isDirectory() && !notInputs.has(entry.name)) walk(child);
      if (entry.isFile()) add(child);
    }
  };
  for (const path of paths) {
    if (path.endsWith(".json")) add(path);
    else walk(path);
  }
  return hash.digest("hex");
}
