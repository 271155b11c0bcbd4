import { once } from "node:events";
import { createServer } from "node:http";
import { CastellanError } from "@castellan/domain";
import { clusterName, openStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { createEdge } from "./create-edge.ts";
import { edgeServerOptions } from "./server.ts";
import { type Settings, settingsFrom } from "./settings.ts";
import { locateInStore } from "./store-locate.ts";

/** How long streams may go on after SIGTERM or SIGINT, in ms. */
const graceMs = 10_000;

const logger = createLogger("proxy");

/** An edge in a process of its own, for sandbox traffic alone. */
async function main({ redisUrl, host, port, domain, clusterToken }: Settings): Promise<void> {
  const store = await openStore(redisUrl, { logger, cluster: clusterName(clusterToken) });
  const edge = createEdge({
    locate: locateInStore(store),
    liveTokens: (after, limit) => store.listAccessTokens(after, limit),
    domain,
    clusterToken,
    logger,
  });
  const server = createServer(edgeServerOptions);
  edge.attach(server);
  server.listen(port, host);
  await once(server, "listening");
  logger.info({ address: server.address(), domain }, "sandbox traffic is served");

  const signal = await Promise.race(["SIGTERM", "SIGINT"].map(async (name) => once(process, name).then(() => name)));
  logger.info({ signal }, "stopping");
  const closed = once(server, "close");
  server.close();
  setTimeout(() => {
    edge.close();
    server.closeAllConnections();
  }, graceMs).unref();
  await closed;
  edge.close();
  await store.close();
}

try {
  await main(settingsFrom(process.env));
} catch (error) {
  const { message, cause } = CastellanError.from(error, "The proxy could not start");
  logger.error({ err: cause ?? error }, message);
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
