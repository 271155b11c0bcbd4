// `npm start`: installs what is missing, then runs `castellan up` on the pinned Node with the arguments given.
import "./setup/require-node.mjs";
import { prepare } from "./prerequisites.mjs";
import { Failure, runMain } from "./setup/failure.mjs";
import { runInForeground } from "./setup/foreground.mjs";
import { interruptions } from "./setup/interruption.mjs";
import { dataDirectory, optionValue, pinnedNode, projectPath, root, sourceOptions } from "./setup/paths.mjs";

const args = process.argv.slice(2);

await runMain(async () => {
  const data = dataDirectory(args);
  const interruption = interruptions();
  if (args.includes("--help") || args.includes("-h")) {
    await prepare("packages", { signal: interruption.signal });
  } else {
    if (process.getuid() !== 0) {
      throw new Failure("Starting sandboxes needs root: mounts, namespaces and a firewall. Run:", [
        `sudo env "PATH=$PATH" npm start${args.length > 0 ? ` -- ${args.join(" ")}` : ""}`,
      ]);
    }
    await prepare("start", { data, gvisor: wantsGvisor(args), signal: interruption.signal });
  }
  interruption.stop();
  return await runInForeground(pinnedNode, [...sourceOptions, "apps/cli/src/main.ts", "up", ...args], {
    cwd: root,
    env: { ...process.env, PATH: projectPath(), CASTELLAN_DATA: data },
  });
});

function wantsGvisor(args) {
  const isolation = optionValue(args, "--isolation") ?? process.env["CASTELLAN_ISOLATION"] ?? "";
  return isolation.split(",").includes("gvisor");
}
