import { once } from "node:events";
import { CastellanError } from "@castellan/domain";
import { clusterName, openStore } from "@castellan/store";
import { createLogger, surviveStrayGoodbyes } from "@castellan/telemetry";
import { createControlPlane } from "./control-plane.ts";
import { type Settings, settingsFrom } from "./settings.ts";

const logger = createLogger("api");
surviveStrayGoodbyes(logger);

/** A control plane in a process of its own: the API, and the registry for nodes. Several of them may share one Redis. */
async function main(settings: Settings): Promise<void> {
  const { host, port, registryHost, registryPort, domain, clusterToken, webhookAllow } = settings;
  const store = await openStore(settings.storeUrl, { logger, cluster: clusterName(clusterToken) });
  try {
    const controlPlane = await createControlPlane({
      store,
      clusterToken,
      domain,
      logger,
      webhooks: { allow: webhookAllow },
    });
    try {
      const stopping = Promise.race(["SIGTERM", "SIGINT"].map((name) => once(process, name).then(() => name)));
      const { url: registry } = await controlPlane.registry.listen({ host: registryHost, port: registryPort });
      const api = await controlPlane.rest.listen({ host, port });
      controlPlane.start();
      logger.info({ api, registry, domain, ...store.describe() }, "control plane is up");
      logger.info({ signal: await stopping }, "stopping");
    } finally {
      await controlPlane.close();
    }
  } finally {
    await store.close();
  }
}

try {
  await main(settingsFrom(process.env));
} catch (error) {
  const { message, cause } = CastellanError.from(error, "The control plane could not start");
  logger.error({ err: cause ?? error }, message);
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
