import { bundlePath } from "@castellan/envd/bundle";
import { composeNode, type Orchestrator } from "@castellan/orchestrator";
import type { Logger } from "@castellan/telemetry";
import { Failure } from "../failure.ts";
import { clusterTokenKind, readSecret } from "../up/secret-file.ts";
import { pinnedNode } from "../version.ts";
import type { NodeConfig } from "./node-config.ts";

/** The init that reaps orphans in a sandbox; a static program, because it runs on any template's files. */
const init = "/usr/bin/tini-static";

/**
 * The node of this configuration, with the daemon and the Node that come with the project. It does not listen yet.
 * @throws Failure when the cluster token is missing; `CastellanError` when the runtime cannot prepare the host.
 */
export async function nodeFrom(config: NodeConfig, logger: Logger): Promise<Orchestrator> {
  const { tokenFile, host, port, gatewayPort, advertise, maxSandboxes, memoryOvercommit, ...node } = config;
  const clusterToken = await readSecret(tokenFile, clusterTokenKind);
  if (clusterToken === undefined) {
    throw new Failure(`There is no cluster token in ${tokenFile}.`, {
      fix: "Copy it from the control plane's data directory, with mode 0600.",
    });
  }
  const reached = advertise === undefined ? {} : { advertise };
  return await composeNode({
    ...node,
    clusterToken,
    rpc: { host, port, ...reached },
    gateway: { host, port: gatewayPort, ...reached },
    capacity: { sandboxes: maxSandboxes, ...(memoryOvercommit === undefined ? {} : { memoryOvercommit }) },
    daemon: { nodeBinary: pinnedNode, bundle: bundlePath, init },
    logger,
  });
}
