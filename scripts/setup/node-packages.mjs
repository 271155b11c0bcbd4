import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.mjs";
import { Failure } from "./failure.mjs";
import { pinnedNode, root, stateDirectory, systemPath } from "./paths.mjs";
import { note, step } from "./steps.mjs";

/** Says that `npm ci` was begun and not ended: what stands in node_modules then proves nothing. */
const unfinished = join(stateDirectory, "npm-ci-unfinished");

/** Without a network npm's own limits let it try in silence for a quarter of an hour. */
const impatience = ["--fetch-timeout=60000", "--fetch-retries=2", "--fetch-retry-maxtimeout=10000"];

/**
 * Brings node_modules in line with package-lock.json, and leaves it alone when it is: somebody may be running from it.
 */
export async function installNodePackages(signal) {
  const reason = staleness();
  if (reason !== undefined) {
    note(`npm packages: ${reason}.`);
    await step("Installing npm packages (npm ci)", async (update) => {
      update(undefined, "");
      writeFileSync(unfinished, "");
      const { ok, output } = await run(
        "npm",
        // Nothing here needs the packages' own install scripts; dev and optional dependencies are needed whatever the
        // user's npm settings leave out: the compiler and the pinned Node are among them.
        ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund", ...impatience],
        // Not by the pinned Node, which is among what `npm ci` removes first.
        { cwd: root, env: { ...process.env, PATH: systemPath() }, signal },
      );
      if (!ok) throw new Failure(`npm ci failed:\n${output}`, ["npm ci"]);
      rmSync(unfinished);
    });
  }
  requirePinnedNode();
}

/** Why node_modules does not match the lock file, or undefined when it does. */
export function staleness(top = root, marker = unfinished) {
  const wanted = JSON.parse(readFileSync(join(top, "package-lock.json"), "utf8")).packages;
  const hidden = join(top, "node_modules/.package-lock.json");
  if (!existsSync(hidden)) return "not installed yet";
  if (existsSync(marker)) return "the last installation did not end";
  // npm keeps here what it has really put into node_modules.
  const present = JSON.parse(readFileSync(hidden, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || !path.includes("node_modules/")) continue;
    const found = present[path];
    // Optional packages for other processors are left out by npm itself.
    if (found === undefined && (entry.optional || entry.devOptional)) continue;
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    if (found === undefined) return `${name} is missing`;
    if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${name} is ${found.version}, not ${entry.version} as in package-lock.json`;
    }
    if (entry.link && found.resolved !== entry.resolved) return `${name} has moved`;
  }
  return undefined;
}

function requirePinnedNode() {
  try {
    execFileSync(pinnedNode, ["--version"], { stdio: "pipe" });
  } catch (error) {
    throw new Failure(`The pinned Node does not run: ${error.message.split("\n")[0]}`, [
      "npm ci --include=optional",
      "and, if that does not help, see whether the registry has node-linux-" +
        `${process.arch} in the version that package.json names`,
    ]);
  }
}
