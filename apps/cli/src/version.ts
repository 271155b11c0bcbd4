import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The Node that comes with the npm packages, absolute: what everything runs on, and what sandboxes' daemons run on. */
export const pinnedNode = fileURLToPath(
  new URL(`../../../node_modules/node-${process.platform}-${process.arch}/bin/node`, import.meta.url),
);

/** This software's version, as its package says. */
export function castellanVersion(): string {
  const description: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const fits = typeof description === "object" && description !== null && "version" in description;
  return fits && typeof description.version === "string" ? description.version : "unknown";
}

/** The version of the pinned Node; undefined where the npm packages lack it. */
export function pinnedNodeVersion(): string | undefined {
  try {
    const description: unknown = JSON.parse(
      readFileSync(new URL("../package.json", pathToFileURL(pinnedNode)), "utf8"),
    );
    const fits = typeof description === "object" && description !== null && "version" in description;
    return fits && typeof description.version === "string" ? description.version : undefined;
  } catch {
    return undefined;
  }
}
