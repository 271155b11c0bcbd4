// Brings this machine to where Castellan can run: npm packages, Debian packages, the sandbox daemon's bundle and the
// base template. What is there already is left alone, so an interrupted run goes on where it was.
//
//     node scripts/prerequisites.mjs [start|test|bench|hosts]
import "./setup/require-node.mjs";
import { fileURLToPath } from "node:url";
import { buildBaseTemplate } from "./setup/base-template.mjs";
import { bundleDaemon } from "./setup/daemon-bundle.mjs";
import { installDebianPackages } from "./setup/debian-packages.mjs";
import { Failure, runMain } from "./setup/failure.mjs";
import { installGvisor } from "./setup/gvisor.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { exclusively } from "./setup/lock.mjs";
import { installNodePackages } from "./setup/node-packages.mjs";
import { dataDirectory } from "./setup/paths.mjs";

/**
 * Everything that a purpose needs, in order, while no other set-up of this clone runs.
 * @param {"packages" | "start" | "test" | "bench" | "hosts"} purpose `packages` is the npm packages alone; `hosts` needs no
 *   template of this machine
 * @param {{ data?: string, gvisor?: boolean, signal?: AbortSignal }} options `gvisor`: fetch that too; tests always need it
 */
export async function prepare(purpose, { data = dataDirectory(), gvisor = purpose === "test", signal } = {}) {
  await exclusively(async () => {
    await installNodePackages(signal);
    if (purpose === "packages") return;
    if (purpose === "hosts") {
      for (const part of ["start", "hosts"]) await installDebianPackages(part, signal);
      return;
    }
    await installDebianPackages(purpose, signal);
    if (gvisor) await installGvisor(signal);
    await bundleDaemon(signal);
    await buildBaseTemplate(data, signal);
  }, signal);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const purpose = process.argv[2] ?? "start";
  const { signal } = interruptions();
  await runMain(async () => {
    if (!["packages", "start", "test", "bench", "hosts"].includes(purpose))
      throw new Failure(`Unknown purpose: ${purpose}`);
    await prepare(purpose, { signal });
    return 0;
  });
}
