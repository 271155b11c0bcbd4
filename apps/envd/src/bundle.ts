import { fileURLToPath } from "node:url";

/** Where `npm run build` puts the daemon as one file: what is mounted into sandboxes, to be run by Node 24. */
export const bundlePath = fileURLToPath(new URL("../dist/envd.mjs", import.meta.url));

/** Bundles the daemon and all it depends on into one ES module at `outfile`. Takes well under a second. */
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
}

if (import.meta.main) await buildBundle();
