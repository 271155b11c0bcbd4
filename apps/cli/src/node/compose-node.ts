import { join } from "node:path";
import { bundlePath } from "@castellan/envd/bundle";
import { createOrchestrator, type Orchestrator } from "@castellan/orchestrator";
import { createRuncRuntime } from "@castellan/runtime";
import type { Logger } from "@castellan/telemetry";
import { templateDirectory } from "@castellan/template";
import { Failure } from "../failure.ts";
import { clusterTokenKind, readSecret } from "../up/secret-file.ts";
import { pinnedNode } from "../version.ts";
import type { NodeConfig } from "./node-config.ts";

/** The init that reaps orphans in a sandbox; a static program, because it runs on any template's files. */
const init = "/usr/bin/tini-static";

/**
 * Puts a node together: the runc runtime, the templates on disk, and the orchestrator over both. It does not listen yet.
 * @throws Failure when the cluster token is missing; `CastellanError` when the runtime cannot prepare the host.
 */
export async function composeNode(config: NodeConfig, logger: Logger): Promise<Orchestrator> {
  const clusterToken = await readSecret(config.tokenFile, clusterTokenKind);
  if (clusterToken === undefined) {
    throw new Failure(`There is no cluster token in ${config.tokenFile}.`, {
      fix: "Copy it from the control plane's data directory, with mode 0600.",
    });
  }
  const runtime = await createRuncRuntime({
    stateDir: join(config.directory, "runtime"),
    devicePrefix: config.devicePrefix,
    subnet: config.subnet,
    uidBase: config.uidBase,
    daemon: { nodeBinary: pinnedNode, bundle: bundlePath, init },
    logger,
  });
  const advertise = config.advertise === undefined ? {} : { advertise: config.advertise };
  try {
    return createOrchestrator({
      nodeId: config.nodeId,
      stateDir: join(config.directory, "node"),
      clusterToken,
      runtime,
      templates: templateDirectory(config.templatesDirectory),
      controlPlaneUrls: config.controlPlaneUrls,
      rpc: { host: config.host, port: config.port, ...advertise },
      gateway: { host: config.host, port: config.gatewayPort, ...advertise },
      capacity: { sandboxes: config.maxSandboxes },
      logger,
    });
  } catch (error) {
    await runtime.close({ stopAll: false });
    throw error;
  }
}
