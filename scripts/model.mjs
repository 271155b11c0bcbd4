// `npm run model [-- --config NAME …]`: installs what is missing, then searches the states of the model on the pinned Node.
import "./setup/require-node.mjs";
import { prepare } from "./prerequisites.mjs";
import { runMain } from "./setup/failure.mjs";
import { runInForeground } from "./setup/foreground.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { pinnedNode, projectPath, root, sourceOptions } from "./setup/paths.mjs";

await runMain(async () => {
  const interruption = interruptions();
  await prepare("packages", { signal: interruption.signal });
  interruption.stop();
  return await runInForeground(pinnedNode, [...sourceOptions, "test/model/main.ts", ...process.argv.slice(2)], {
    cwd: root,
    env: { ...process.env, PATH: projectPath() },
  });
});
