import { createLogger } from "@castellan/telemetry";
import { Failure } from "../failure.ts";
import type { NodeSettings } from "../settings.ts";
import { listenForStops } from "../terminal/stop-requests.ts";
import { openDataDirectory } from "../up/data-directory.ts";
import { takeInstanceLock } from "../up/instance-lock.ts";
import { requireHost, requireRoot, requireTemplate } from "../up/preflight.ts";
import { clusterTokenKind, readSecret } from "../up/secret-file.ts";
import { keepNodeIdentity } from "./identity.ts";
import { nodeIsolation } from "./isolation.ts";
import { superviseNode } from "./supervise.ts";

/** A node that ends this often has something that a restart does not cure. */
const hopelessCrashes = 5;

/**
 * `castellan node`: a further node of a control plane that runs elsewhere, in the same kind of process that `up` starts.
 * Ctrl-C ends its sandboxes; SIGTERM leaves them for the next start.
 * @returns the exit code.
 * @throws Failure when it cannot start.
 */
export async function node(settings: NodeSettings): Promise<number> {
  requireRoot();
  const data = await openDataDirectory(settings.dataDirectory);
  await requireTemplate(settings.templatesDirectory);
  await requireHost(data.path, settings);
  if ((await readSecret(settings.tokenFile, clusterTokenKind)) === undefined) {
    throw new Failure(`There is no cluster token in ${settings.tokenFile}.`, {
      fix: "Copy `cluster-token` of the control plane's data directory there, with mode 0600, or name it with --token-file.",
    });
  }
  const lock = await takeInstanceLock(data, "A node");
  const stops = listenForStops();
  const hopeless = Promise.withResolvers<"hopeless">();
  try {
    const identity = await keepNodeIdentity(data.path, {
      nodeId: settings.name,
      devicePrefix: settings.devicePrefix,
      subnet: settings.subnet,
    });
    const { advertise, templatesDirectory, tokenFile, controlPlaneUrls, host, port, gatewayPort, maxSandboxes } =
      settings;
    const supervised = superviseNode({
      config: {
        ...identity,
        directory: data.path,
        templatesDirectory,
        tokenFile,
        controlPlaneUrls,
        host,
        ...(advertise === undefined ? {} : { advertise }),
        port,
        gatewayPort,
        maxSandboxes,
        memoryOvercommit: settings.memoryOvercommit,
        ...nodeIsolation(settings),
      },
      logger: createLogger("castellan"),
      onCrash: (inARow) => {
        if (inARow >= hopelessCrashes) hopeless.resolve("hopeless");
      },
    });
    stops.onSecond(() => {
      supervised.kill();
      process.exit(130);
    });
    const kind = await Promise.race([stops.first, hopeless.promise]);
    const clean = await supervised.stop({ stopSandboxes: kind === "interrupt" });
    if (kind === "hopeless")
      throw new Failure(`Node ${identity.nodeId} does not stay up.`, { fix: "Its log, above, says why." });
    return clean ? 0 : 1;
  } finally {
    stops.dispose();
    await lock.release();
  }
}
