/**
 * Builds the base template when it is missing or out of date: `node main.ts <templates directory> [--rebuild]`.
 * Standard output has one JSON object a line, for the script that draws the bar: `{"progress":0.42,"step":"…"}` while it
 * works and at last `{"rootfs":"…","built":true}`. A failure is one message on standard error and exit code 1.
 * `CASTELLAN_DEBIAN_MIRROR` names a mirror.
 */
import { parseArgs } from "node:util";
import { buildBaseTemplate } from "./index.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rebuild: { type: "boolean" } } });
const [dir] = positionals;
const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => abort.abort());

const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);
try {
  if (dir === undefined) throw new Error("Name the templates' directory");
  const mirror = process.env["CASTELLAN_DEBIAN_MIRROR"];
  const { template, built } = await buildBaseTemplate({
    dir,
    rebuild: values.rebuild ?? false,
    signal: abort.signal,
    onProgress: (progress, step) => say({ progress, step }),
    ...(mirror === undefined || mirror === "" ? {} : { mirror }),
  });
  say({ rootfs: template.rootfs, built });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
