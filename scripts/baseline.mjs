// `npm run baseline`: takes the contracts as they are for the promise that `npm run check` holds later changes to. A
// deliberate act: whatever it breaks is accepted with it.
import "./setup/require-node.mjs";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { openapiBaseline, protoBaseline } from "./checking/baselines.mjs";
import { prepare } from "./prerequisites.mjs";
import { run } from "./setup/child.mjs";
import { Failure, runMain } from "./setup/failure.mjs";
import { projectPath, root } from "./setup/paths.mjs";

await runMain(async () => {
  await prepare("packages");
  mkdirSync(join(root, "packages/contracts/baseline"), { recursive: true });
  const { ok, output } = await run("buf", ["build", "-o", protoBaseline], {
    cwd: root,
    env: { ...process.env, PATH: projectPath() },
  });
  if (!ok) throw new Failure(`buf could not build the protobuf contracts:\n${output}`);
  copyFileSync(join(root, "openapi.yaml"), join(root, openapiBaseline));
  console.log(`Wrote ${protoBaseline} and ${openapiBaseline}. Commit them with the reason.`);
  return 0;
});
