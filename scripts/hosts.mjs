// `npm run hosts`: starts sandboxes on a host of another kind than this one, a Debian 12 with cgroup v2 alone, in a
// machine that qemu emulates. Takes about ten minutes; the first run downloads 150 MB.
import "./setup/require-node.mjs";
import { prepare } from "./prerequisites.mjs";
import { Failure, runMain } from "./setup/failure.mjs";
import { runInForeground } from "./setup/foreground.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { pinnedNode, projectPath, root, sourceOptions } from "./setup/paths.mjs";

await runMain(async () => {
  if (process.getuid() !== 0)
    throw new Failure("Building a guest needs root. Run:", ['sudo env "PATH=$PATH" npm run hosts']);
  if (process.arch !== "x64") throw new Failure(`The guest is an x86-64 machine; this is ${process.arch}.`);
  const interruption = interruptions();
  await prepare("hosts", { signal: interruption.signal });
  interruption.stop();
  return await runInForeground(pinnedNode, [...sourceOptions, "test/hosts/main.ts"], {
    cwd: root,
    env: { ...process.env, PATH: projectPath() },
    withChildren: true,
  });
});
