// Compares openapi.yaml with its baseline: `node openapi-breaking.mjs`, run by `npm run check`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../setup/child.mjs";
import { Failure, runMain } from "../setup/failure.mjs";
import { pinnedNode, projectPath, root, sourceOptions } from "../setup/paths.mjs";
import { openapiBaseline } from "./baselines.mjs";

const options = { cwd: root, env: { ...process.env, PATH: projectPath() } };

await runMain(async () => {
  const scratch = mkdtempSync(join(tmpdir(), "castellan-openapi-"));
  try {
    const before = await dereference(openapiBaseline, join(scratch, "before.json"));
    const after = await dereference("openapi.yaml", join(scratch, "after.json"));
    const compare = join(root, "packages/contracts/src/breaking/main.ts");
    const { ok, output } = await run(pinnedNode, [...sourceOptions, compare, before, after], options);
    if (ok) return 0;
    throw new Failure(`openapi.yaml breaks clients of the baseline:\n${output}\nIf that is meant:`, [
      "npm run baseline",
    ]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

async function dereference(document, into) {
  const args = ["bundle", document, "--dereferenced", "--ext", "json", "--output", into];
  const { ok, output } = await run("redocly", args, options);
  if (!ok) throw new Failure(`redocly could not read ${document}:\n${output}`);
  return into;
}
