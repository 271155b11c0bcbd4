// `npm run check [-- <step> …]`: everything that can be said about the tree without running it. All steps run, also after
// one has failed; the output of a step is shown when it fails.
import "./setup/require-node.mjs";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { protoBaseline } from "./checking/baselines.mjs";
import { prepare } from "./prerequisites.mjs";
import { run } from "./setup/child.mjs";
import { Failure, runMain } from "./setup/failure.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { projectPath, root } from "./setup/paths.mjs";

const steps = [
  { name: "style", what: "format and lint", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "types", what: "types, on Node", command: ["tsc", "-p", "tsconfig.json"] },
  {
    name: "deno",
    what: "types, on Deno",
    command: () => ["deno", "check", "--quiet", "--no-lock", ...sourceFolders()],
  },
  { name: "proto", what: "protobuf lint", command: ["buf", "lint"] },
  { name: "openapi", what: "OpenAPI lint", command: ["redocly", "lint", "openapi.yaml"] },
  { name: "generated", what: "generated files match", command: ["node", "scripts/gen.mjs", "--check"] },
  {
    name: "proto-breaking",
    what: "protobuf keeps its promise",
    command: ["buf", "breaking", "--against", protoBaseline],
  },
  {
    name: "openapi-breaking",
    what: "OpenAPI keeps its promise",
    command: ["node", "scripts/checking/openapi-breaking.mjs"],
  },
  {
    name: "build",
    what: "build",
    command: ["turbo", "run", "build", "--output-logs=errors-only", "--continue=dependencies-successful"],
  },
];

await runMain(async () => {
  const chosen = process.argv.slice(2);
  const unknown = chosen.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0) {
    throw new Failure(`No such step: ${unknown.join(", ")}. There are:`, [steps.map(({ name }) => name).join(" ")]);
  }
  const { signal } = interruptions();
  await prepare("packages", { signal });

  const failed = [];
  for (const { name, what, command } of steps) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const started = Date.now();
    const [file, ...args] = typeof command === "function" ? command() : command;
    const { ok, output } = await run(file, args, { cwd: root, env: environment(), signal, keep: 400 });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${ok ? "✓" : "✗"} ${what} (${name}, ${seconds} s)`);
    if (ok) continue;
    failed.push(name);
    console.log(`\n${output}\n`);
  }
  console.log(failed.length === 0 ? "All checks passed." : `Failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
});

/** Sources of every package and app; tests of whole installations drive Node programs and are left to Node. */
function sourceFolders() {
  return ["packages", "apps"].flatMap((group) =>
    readdirSync(join(root, group), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${group}/${entry.name}/src`),
  );
}

function environment() {
  return {
    ...process.env,
    PATH: projectPath(),
    REDOCLY_TELEMETRY: "off",
    REDOCLY_SUPPRESS_UPDATE_NOTICE: "true",
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
  };
}
