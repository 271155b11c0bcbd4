import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInForeground } from "../setup/foreground.mjs";
import { pinnedDeno, pinnedNode, projectPath, root } from "../setup/paths.mjs";
import { countTests, failures } from "./counts.mjs";

const vitest = join(root, "node_modules/vitest/vitest.mjs");
const runtimes = {
  node: { name: "Node", file: pinnedNode, args: [vitest] },
  deno: { name: "Deno", file: pinnedDeno, args: ["run", "--allow-all", "--no-lock", vitest] },
};

/**
 * Runs vitest on one of the two runtimes, with its usual report on the terminal.
 * @param {"node" | "deno"} runtime
 * @param {string[]} args further arguments of `vitest run`
 * @param {string} data the data directory whose templates the tests use
 */
export async function runVitest(runtime, args, data) {
  const { name, file, args: before } = runtimes[runtime];
  const title = `${name} ${version(file)}`;
  const scratch = mkdtempSync(join(tmpdir(), "castellan-test-"));
  const report = join(scratch, "report.json");
  console.log(`\nTests on ${title}`);
  try {
    const exitCode = await runInForeground(
      file,
      [...before, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...args],
      { cwd: root, env: testEnvironment(data), withChildren: true },
    );
    const text = existsSync(report) ? readFileSync(report, "utf8") : undefined;
    return { title, counts: countTests(text, exitCode), failures: exitCode === 0 ? [] : failures(text) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Ours, without what a developer's shell says about some other installation. */
function testEnvironment(data) {
  const env = { ...process.env, PATH: projectPath(), CASTELLAN_DATA: data };
  for (const name of Object.keys(env)) {
    if (name.startsWith("E2B_") || name === "REDIS_URL") delete env[name];
  }
  return env;
}

function version(file) {
  return /\d+\.\d+\.\d+/.exec(execFileSync(file, ["--version"], { encoding: "utf8" }))?.[0] ?? "";
}
