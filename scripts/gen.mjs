// Regenerates everything below packages/contracts/src/gen from the contracts at the top level.
// `--check` writes nothing that git would see as new: it fails when the result differs from what
// is committed.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bin = (name) => join(root, "node_modules/.bin", name);
const run = (name, ...args) => execFileSync(bin(name), args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
const gen = "packages/contracts/src/gen";

run("buf", "generate");
mkdirSync(join(root, gen), { recursive: true });
// A property with a default may still be left out of a request.
run("openapi-typescript", "openapi.yaml", "--default-non-nullable", "false", "-o", `${gen}/openapi.ts`);
// The same document as data: the REST server validates with its schemas and serves it.
run("redocly", "bundle", "openapi.yaml", "--dereferenced", "--ext", "json", "-o", `${gen}/openapi.bundle.json`);
const document = readFileSync(join(root, gen, "openapi.bundle.json"), "utf8");
writeFileSync(
  join(root, gen, "openapi-document.ts"),
  `// Generated from openapi.yaml by scripts/gen.mjs. Do not edit.\nimport type { OpenApiDocument } from "../document.ts";\n\nconst document = ${document.trim()};\n\nexport const openapiDocument: OpenApiDocument = document;\n`,
);
execFileSync("rm", [join(root, gen, "openapi.bundle.json")]);

if (process.argv.includes("--check")) {
  const changed = execFileSync("git", ["status", "--porcelain", "--", gen], { cwd: root, encoding: "utf8" }).trim();
  if (changed !== "") {
    console.error(`Generated files differ from what is committed; run "npm run gen" and commit:\n${changed}`);
    process.exit(1);
  }
}
