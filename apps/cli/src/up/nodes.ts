import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@castellan/telemetry";
import { keepNodeIdentity, type NodeIdentity } from "../node/identity.ts";
import { nodeIsolation } from "../node/isolation.ts";
import { type SupervisedNode, superviseNode } from "../node/supervise.ts";
import type { UpSettings } from "../settings.ts";
import type { DataDirectory } from "./data-directory.ts";

export interface NodesOptions {
  readonly settings: Pick<UpSettings, "nodes" | "isolations" | "runsc" | "memoryOvercommit">;
  readonly data: DataDirectory;
  readonly templatesDirectory: string;
  readonly registryUrl: string;
  readonly logger: Logger;
}

/** Sandboxes per node, whatever the machine holds; the store's limits for the team come first. */
const maxSandboxes = 256;

/**
 * Starts the nodes 1 to `settings.nodes`, each with its own directory, names, addresses and ids, and those of an earlier
 * start with more nodes that have sandboxes left.
 */
export async function startNodes(options: NodesOptions): Promise<readonly SupervisedNode[]> {
  const { settings, data, templatesDirectory, registryUrl, logger } = options;
  const identities: { readonly identity: NodeIdentity; readonly directory: string }[] = [];
  for (const index of await indexes(settings.nodes, data, logger)) {
    const directory = data.nodeDirectory(index);
    // Sandboxes' roots are ordinary users of the host and must be able to cross it.
    await mkdir(directory, { recursive: true, mode: 0o711 });
    const others = identities.map(({ identity }) => identity);
    identities.push({ identity: await keepNodeIdentity(directory, {}, others), directory });
  }
  return identities.map(({ identity, directory }) =>
    superviseNode({
      config: {
        ...identity,
        directory,
        templatesDirectory,
        tokenFile: data.clusterTokenFile,
        controlPlaneUrls: [registryUrl],
        host: "127.0.0.1",
        port: 0,
        gatewayPort: 0,
        maxSandboxes,
        memoryOvercommit: settings.memoryOvercommit,
        ...nodeIsolation(settings),
      },
      logger,
    }),
  );
}

async function indexes(wanted: number, data: DataDirectory, logger: Logger): Promise<readonly number[]> {
  const chosen = Array.from({ length: wanted }, (_, index) => index + 1);
  for (const name of await readdir(data.nodesDirectory).catch(() => [])) {
    const index = /^[1-9]\d{0,3}$/.test(name) ? Number(name) : 0;
    if (index <= wanted) continue;
    const executions = await readdir(join(data.nodeDirectory(index), "runtime", "executions")).catch(() => []);
    if (executions.length === 0) continue;
    logger.warn({ node: index, executions: executions.length }, "an earlier node has sandboxes left; starting it too");
    chosen.push(index);
  }
  return chosen;
}
