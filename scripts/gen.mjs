// Regenerates everything below packages/contracts/src/gen from the contracts at the top level. `--check` changes
// nothing: it generates into a temporary directory and fails when that differs from what is there.
import "./setup/require-node.mjs";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Failure, runMain } from "./setup/failure.mjs";
import { projectPath, root } from "./setup/paths.mjs";

const gen = "packages/contracts/src/gen";

await runMain(() => {
  const scratch = mkdtempSync(join(tmpdir(), "castellan-gen-"));
  try {
    generate(scratch);
    const changes = differences(join(scratch, gen), join(root, gen));
    if (process.argv.includes("--check")) {
      if (changes.length === 0) return 0;
      throw new Failure(
        `Generated files differ from the contracts:\n${changes.join("\n")}\nTo bring them up to date:`,
        ["npm run gen"],
      );
    }
    // Only what has changed is touched: somebody may be running from these files.
    for (const change of changes) {
      const [, path] = change.split(": ");
      rmSync(join(root, gen, path), { force: true });
      if (existsSync(join(scratch, gen, path))) {
        mkdirSync(dirname(join(root, gen, path)), { recursive: true });
        cpSync(join(scratch, gen, path), join(root, gen, path));
      }
      console.log(change);
    }
    return 0;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

/** Writes all generated files below `<into>/packages/contracts/src/gen`. */
function generate(into) {
  run("buf", "generate", "--output", into);
  // A property with a default may still be left out of a request.
  run(
    "openapi-typescript",
    "openapi.yaml",
    "--default-non-nullable",
    "false",
    "--output",
    join(into, gen, "openapi.ts"),
  );
  // The same document as data: the REST server validates with its schemas and serves it.
  const bundle = join(into, "openapi.json");
  run("redocly", "bundle", "openapi.yaml", "--dereferenced", "--ext", "json", "--output", bundle);
  writeFileSync(
    join(into, gen, "openapi-document.ts"),
    [
      "// Generated from openapi.yaml by scripts/gen.mjs. Do not edit.",
      'import type { OpenApiDocument } from "../document.ts";',
      "",
      `const document = ${readFileSync(bundle, "utf8").trim()};`,
      "",
      "export const openapiDocument: OpenApiDocument = document;",
      "",
    ].join("\n"),
  );
}

function run(name, ...args) {
  try {
    execFileSync(join(root, "node_modules/.bin", name), args, {
      cwd: root,
      env: { ...process.env, PATH: projectPath(), REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    throw new Failure(`${name} ${args.join(" ")} failed:\n${error.stdout}${error.stderr}`);
  }
}

/** One line per file that is not the same in both directories: `added: x`, `removed: y`, `changed: z`. */
function differences(wanted, present) {
  const inWanted = filesBelow(wanted);
  const inPresent = filesBelow(present);
  return [...new Set([...inWanted, ...inPresent])].sort().flatMap((path) => {
    if (!inPresent.includes(path)) return [`added: ${path}`];
    if (!inWanted.includes(path)) return [`removed: ${path}`];
    return readFileSync(join(wanted, path)).equals(readFileSync(join(present, path))) ? [] : [`changed: ${path}`];
  });
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
