import { createServer } from "node:http";
import { join } from "node:path";
import { type ControlPlane, createControlPlane } from "@castellan/api";
import { createEdge, edgeServerOptions } from "@castellan/proxy";
import { clusterName, openStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import type { UpSettings } from "../settings.ts";
import type { StopRequests } from "../terminal/stop-requests.ts";
import { castellanVersion } from "../version.ts";
import { bootstrapStore, keepSecrets } from "./bootstrap.ts";
import type { Closers } from "./closers.ts";
import type { DataDirectory } from "./data-directory.ts";
import { endSandboxes } from "./end-sandboxes.ts";
import type { ClientEnvironment } from "./environment.ts";
import { readLimits } from "./limits-file.ts";
import { startNodes } from "./nodes.ts";
import { dialAddress, freePort, isLoopback, listenFailure, listenOn } from "./ports.ts";
import { requireHost, requireTemplate } from "./preflight.ts";
import { knownBoots, nodesReady, sandboxesBack } from "./readiness.ts";

export interface StartOptions {
  readonly settings: UpSettings;
  readonly data: DataDirectory;
  /** Gets everything that is opened. */
  readonly closers: Closers;
  readonly logger: Logger;
  readonly stops: StopRequests;
}

/** A running installation; its `closers` end it. */
export interface Installation {
  readonly environment: ClientEnvironment;
  /** Where further nodes register. */
  readonly registryUrl: string;
  /** What they need for it. */
  readonly tokenFile: string;
  /** Takes no further requests and ends the sandboxes of this machine's nodes, the store's records with them. */
  endSandboxes(): Promise<void>;
}

/**
 * Starts the control plane and the edge in this process on one origin, the registry on a port of its own, and one child
 * process per node. Resolves when every node is ready for sandboxes.
 * @throws Failure with a clear sentence and the fix; what was opened is for the caller's `closers`.
 */
export async function startInstallation(options: StartOptions): Promise<Installation> {
  const { settings, data, closers, logger, stops } = options;
  const { host, port, domain } = settings;
  const templatesDirectory = join(data.path, "templates");
  await requireTemplate(templatesDirectory);
  await requireHost(data.path, settings);
  const { apiKey, clusterToken } = await keepSecrets(data);

  const store = await openStore(settings.redisUrl ?? `sqlite:${data.database}`, {
    logger,
    cluster: clusterName(clusterToken),
  });
  closers.add("store", () => store.close());
  const limits = await readLimits(
    settings.limitsFile ?? join(data.path, "limits.json"),
    settings.limitsFile === undefined,
  );
  await bootstrapStore(store, apiKey, limits, settings.maxSandboxes);

  const version = castellanVersion();
  const controlPlane = await createControlPlane({
    store,
    clusterToken,
    domain,
    logger,
    version,
    templateLimits: limits.templates,
    webhooks: { allow: settings.webhookAllow },
    ...(limits.maxTimeoutSeconds === undefined ? {} : { limits: { maxTimeoutSeconds: limits.maxTimeoutSeconds } }),
  });
  closers.add("control plane", () => controlPlane.close());
  const edge = createEdge({
    locate: controlPlane.locate,
    liveTokens: (after, limit) => store.listAccessTokens(after, limit),
    api: controlPlane.handle,
    domain,
    clusterToken,
    logger,
  });
  closers.add("edge", () => edge.close());
  controlPlane.onEnded((sandboxId) => edge.invalidate(sandboxId));

  for (const address of [host, settings.registryHost]) {
    if (!isLoopback(address)) logger.warn({ address }, "reachable from other machines, without encryption");
  }
  const server = createServer(edgeServerOptions);
  edge.attach(server);
  await listenOn(server, host, port, "--port");
  closers.add("server", () => {
    server.close();
    server.closeAllConnections();
  });
  const registryUrl = await listenRegistry(controlPlane, settings);
  controlPlane.start();

  const before = await knownBoots(store);
  const nodes = await startNodes({ settings, data, templatesDirectory, registryUrl, logger });
  closers.add("nodes", () => {
    const stopSandboxes = stops.requested() === "interrupt" && !settings.keep;
    return Promise.all(nodes.map((node) => node.stop({ stopSandboxes })));
  });
  await nodesReady(store, nodes, before, stops.signal);
  await sandboxesBack(store, nodes, stops.signal);

  const url = `http://${dialAddress(host, port)}`;
  return {
    environment: { apiKey, apiUrl: url, sandboxUrl: url },
    registryUrl,
    tokenFile: data.clusterTokenFile,
    async endSandboxes() {
      server.close();
      server.closeIdleConnections();
      const nodeIds = nodes.map(({ nodeId }) => nodeId);
      await endSandboxes({ controlPlane, store, nodeIds, apiKey, logger });
    },
  };
}

/** The port that is next to the API's, where further nodes of the same machine look for it; another when it is taken. */
async function listenRegistry(controlPlane: ControlPlane, settings: UpSettings): Promise<string> {
  const { registryHost: host, port } = settings;
  const preferred = port < 65_535 ? port + 1 : port - 1;
  const chosen = settings.registryPort ?? (await freePort(host, [preferred]));
  try {
    await controlPlane.registry.listen({ host, port: chosen });
  } catch (error) {
    throw listenFailure(error, host, chosen, "--registry-port");
  }
  return `http://${dialAddress(host, chosen)}`;
}
