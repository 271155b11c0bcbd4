import { join } from "node:path";
import { run } from "./child.mjs";
import { Failure } from "./failure.mjs";
import { pinnedNode, root, sourceOptions, systemPath } from "./paths.mjs";
import { step } from "./steps.mjs";

/** Makes sure that the base template below `data` is there and current; returns its root filesystem's path. */
export async function buildBaseTemplate(data, signal) {
  return await step("Building the base template", (update) => build(data, update, signal), {
    lazy: true,
    hint: "a minute or two, once",
  });
}

async function build(data, update, signal) {
  let rootfs;
  const args = [...sourceOptions, join(root, "packages/template/src/main.ts"), join(data, "templates")];
  const { ok, output } = await run(pinnedNode, args, {
    cwd: root,
    // npm, which fetches one package for the template, is to be the system's.
    env: { ...process.env, PATH: systemPath() },
    signal,
    onLine: (line) => {
      const message = parse(line);
      if (message?.progress !== undefined) update(message.progress, message.step);
      if (message?.rootfs !== undefined) rootfs = message.rootfs;
    },
  });
  if (!ok) {
    const reason = output.split("\n").filter((line) => parse(line) === undefined);
    throw new Failure(`The base template could not be built:\n${reason.join("\n")}`, [
      "Its files come from deb.debian.org over HTTP, and one package from the npm registry.",
      "CASTELLAN_DEBIAN_MIRROR names another mirror, CASTELLAN_DATA another place than /var/lib/castellan.",
    ]);
  }
  return rootfs;
}

function parse(line) {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
