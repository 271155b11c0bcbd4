/**
 * One node as a process of its own, set up by environment variables (see `environment.ts`), for a service manager to
 * run. SIGTERM stops it and leaves its sandboxes running for the next process; SIGINT ends them too, unless
 * `CASTELLAN_KEEP_SANDBOXES=1`. Once it serves, one line of JSON with its addresses goes to standard output.
 */
import { readFile } from "node:fs/promises";
import { createLogger, surviveStrayGoodbyes } from "@castellan/telemetry";
import { composeNode } from "./compose-node.ts";
import { readEnvironment } from "./environment.ts";
import type { Orchestrator } from "./orchestrator.ts";

const logger = createLogger("orchestrator");
surviveStrayGoodbyes(logger);
const stopped = Promise.withResolvers<{ readonly stopSandboxes: boolean }>();

try {
  const environment = readEnvironment(process.env);
  process.on("SIGTERM", () => stopped.resolve({ stopSandboxes: false }));
  process.on("SIGINT", () => stopped.resolve({ stopSandboxes: !environment.keepSandboxes }));
  const orchestrator = await compose();
  const addresses = await orchestrator.listen();
  process.stdout.write(`${JSON.stringify({ nodeId: orchestrator.nodeId, ...addresses })}\n`);
  await orchestrator.close(await stopped.promise);

  async function compose(): Promise<Orchestrator> {
    const { stateDir, templatesDir, clusterTokenFile, maxSandboxes, runsc, ...node } = environment;
    return await composeNode({
      ...node,
      directory: stateDir,
      templatesDirectory: templatesDir,
      ...(runsc === undefined ? {} : { runsc }),
      clusterToken: (await readFile(clusterTokenFile, "utf8")).trim(),
      ...(maxSandboxes === undefined ? {} : { capacity: { sandboxes: maxSandboxes } }),
      logger,
    });
  }
} catch (error) {
  logger.fatal({ err: error }, "node cannot run");
  process.exitCode = 1;
}
