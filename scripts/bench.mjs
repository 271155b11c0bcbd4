// `npm run bench [-- <argument> …]`: installs what the figures are compared with, then measures on the pinned Node.
import "./setup/require-node.mjs";
import { prepare } from "./prerequisites.mjs";
import { Failure, runMain } from "./setup/failure.mjs";
import { runInForeground } from "./setup/foreground.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { dataDirectory, pinnedNode, projectPath, root, sourceOptions } from "./setup/paths.mjs";

await runMain(async () => {
  if (process.getuid() !== 0)
    throw new Failure("Measuring sandboxes needs root. Run:", ['sudo env "PATH=$PATH" npm run bench']);
  const data = dataDirectory();
  const interruption = interruptions();
  await prepare("bench", { data, signal: interruption.signal });
  interruption.stop();
  return await runInForeground(pinnedNode, [...sourceOptions, "test/bench/main.ts", ...process.argv.slice(2)], {
    cwd: root,
    env: { ...process.env, PATH: projectPath(), CASTELLAN_DATA: data },
    withChildren: true,
  });
});
