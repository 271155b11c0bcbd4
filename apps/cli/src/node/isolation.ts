import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { IsolationSettings } from "../settings.ts";
import type { NodeConfig } from "./node-config.ts";

/** Where set-up puts gVisor's runsc (`scripts/setup/gvisor.mjs`). */
const fetchedRunsc = fileURLToPath(new URL("../../../../.castellan/gvisor/runsc", import.meta.url));

/** The runsc to use: the one that was named, else the one that set-up fetched, else the system's. */
export function runscOf({ runsc }: Pick<IsolationSettings, "runsc">): string | undefined {
  return runsc ?? (existsSync(fetchedRunsc) ? fetchedRunsc : undefined);
}

/** What a node is told about isolation. Sandboxes with gVisor that run already need its runsc whatever is offered. */
export function nodeIsolation(settings: IsolationSettings): Pick<NodeConfig, "isolations" | "runsc"> {
  const runsc = runscOf(settings);
  return { isolations: settings.isolations, ...(runsc === undefined ? {} : { runsc }) };
}
