/**
 * One node as a process of its own, set up by environment variables (see `environment.ts`), for a service manager to
 * run. SIGTERM stops it and leaves its sandboxes running for the next process; SIGINT ends them too, unless
 * `CASTELLAN_KEEP_SANDBOXES=1`. Once it serves, one line of JSON with its addresses goes to standard output.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createRuncRuntime } from "@castellan/runtime";
import { createLogger } from "@castellan/telemetry";
import { templateDirectory } from "@castellan/template";
import { readEnvironment } from "./environment.ts";
import { createOrchestrator, type Orchestrator } from "./orchestrator.ts";

const logger = createLogger("orchestrator");
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
    const { nodeId, stateDir, daemon, devicePrefix, subnet, uidBase, maxSandboxes } = environment;
    const clusterToken = (await readFile(environment.clusterTokenFile, "utf8")).trim();
    const runtime = await createRuncRuntime({
      stateDir: join(stateDir, "runtime"),
      devicePrefix,
      subnet,
      uidBase,
      daemon,
      logger,
    });
    try {
      return createOrchestrator({
        nodeId,
        stateDir: join(stateDir, "node"),
        clusterToken,
        runtime,
        templates: templateDirectory(environment.templatesDir),
        controlPlaneUrls: environment.controlPlaneUrls,
        rpc: environment.rpc,
        gateway: environment.gateway,
        ...(maxSandboxes === undefined ? {} : { capacity: { sandboxes: maxSandboxes } }),
        logger,
      });
    } catch (error) {
      await runtime.close({ stopAll: false });
      throw error;
    }
  }
} catch (error) {
  logger.fatal({ err: error }, "node cannot run");
  process.exitCode = 1;
}
