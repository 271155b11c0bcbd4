// `npm run robustness [-- --seconds N --seed S …]`: installs what is missing, then runs traffic and faults on the pinned Node.
import "./setup/require-node.mjs";
import { prepare } from "./prerequisites.mjs";
import { Failure, runMain } from "./setup/failure.mjs";
import { runInForeground } from "./setup/foreground.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { dataDirectory, pinnedNode, projectPath, root, sourceOptions } from "./setup/paths.mjs";

await runMain(async () => {
  if (process.getuid() !== 0)
    throw new Failure("Killing processes and starting sandboxes needs root. Run:", [
      'sudo env "PATH=$PATH" npm run fuzz',
    ]);
  const data = dataDirectory();
  const interruption = interruptions();
  await prepare("test", { data, signal: interruption.signal });
  interruption.stop();
  return await runInForeground(pinnedNode, [...sourceOptions, "test/robustness/main.ts", ...process.argv.slice(2)], {
    cwd: root,
    env: { ...process.env, PATH: projectPath(), CASTELLAN_DATA: data },
    withChildren: true,
  });
});
