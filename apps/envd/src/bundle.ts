import { copyFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where `npm run build` puts the daemon: what is mounted into sandboxes, to be run by Node 24. Beside it lies
 * `koffi.node`, the only thing that it needs and that cannot be a part of it.
 */
export const bundlePath = fileURLToPath(new URL("../dist/envd.mjs", import.meta.url));

/** Bundles the daemon and all it depends on into one ES module at `outfile`, with the native module beside it. */
export async function buildBundle(outfile = bundlePath): Promise<void> {
  const { build } = await import("esbuild");
  await build({
    entryPoints: [fileURLToPath(new URL("../src/main.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    conditions: ["source"],
    minify: true,
    keepNames: true,
    legalComments: "none",
    logLevel: "warning",
    // busboy is CommonJS and asks for Node's own modules at run time.
    banner: { js: 'import{createRequire as $require}from"node:module";const require=$require(import.meta.url);' },
  });
  await copyFile(nativeModule(), join(dirname(outfile), "koffi.node"));
}

/** koffi's build for this architecture and the GNU C library, which the Node that runs the daemon is linked to. */
function nativeModule(): string {
  const platform = `@koromix/koffi-linux-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve("koffi"));
  return join(dirname(require.resolve(`${platform}/package.json`)), `linux_${process.arch}`, "koffi.node");
}

if (import.meta.main) await buildBundle();
