// `npm test [-- <path or vitest option> …]`: installs what is missing, runs every test on the pinned Node and the
// packages' unit tests on Deno as well. The last line of standard output is the sum: `N passed, N failed`.
import "./setup/require-node.mjs";
import { prepare } from "./prerequisites.mjs";
import { runMain } from "./setup/failure.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { dataDirectory } from "./setup/paths.mjs";
import { note } from "./setup/steps.mjs";
import { add, describe, none } from "./testing/counts.mjs";
import { denoTestFiles } from "./testing/deno-files.mjs";
import { runVitest } from "./testing/vitest.mjs";

/** Packages whose tests need nothing of the machine: running only these installs nothing but npm packages. */
const pure = ["client", "contracts", "domain", "rest", "rpc", "telemetry"].map((name) => `packages/${name}`);

const args = process.argv.slice(2);
const paths = pathsIn(args);

await runMain(async () => {
  const data = dataDirectory();
  const interruption = interruptions();
  const needsMachine = paths.length === 0 || !paths.every((path) => pure.some((folder) => path.startsWith(folder)));
  if (needsMachine && process.getuid() !== 0) note("Without root, tests that start sandboxes are skipped.");
  const purpose = needsMachine && process.getuid() === 0 ? "test" : "packages";
  await prepare(purpose, { data, signal: interruption.signal });
  interruption.stop();

  const runs = [await runVitest("node", args, data)];
  const denoFiles = denoTestFiles(paths);
  if (denoFiles.length > 0) {
    const options = args.filter((arg) => !paths.includes(arg));
    runs.push(await runVitest("deno", ["--project", "unit", ...options, ...denoFiles], data));
  }

  console.log();
  for (const failure of runs.flatMap(({ title, failures }) => failures.map((line) => `${title}: ${line}`))) {
    console.log(`Failed on ${failure}`);
  }
  for (const { title, counts } of runs) console.log(`${title}: ${describe(counts)}`);
  const sum = runs.reduce((total, { counts }) => add(total, counts), none);
  const ranNothing = sum.passed + sum.failed === 0;
  if (ranNothing) console.log("No test ran.");
  console.log(describe(sum));
  return sum.failed > 0 || ranNothing ? 1 : 0;
});

/** The arguments that are neither vitest options nor an option's value. */
function pathsIn(all) {
  const withValue = new Set(["-t", "--testNamePattern", "--project", "--reporter", "--retry", "--testTimeout"]);
  return all.filter((arg, index) => !arg.startsWith("-") && !withValue.has(all[index - 1] ?? ""));
}
