/**
 * The process of one node. Its supervisor (`castellan up` or `castellan node`) sends the configuration and, later, how
 * to stop, over a channel that keeps messages until they are read: a request to stop that comes while the node starts
 * is not lost, as a signal would be. A channel that breaks means that the supervisor is gone: then, and at SIGTERM, the
 * node stops and leaves its sandboxes running for the next process. SIGINT ends them too.
 */
import type { Orchestrator } from "@castellan/orchestrator";
import { createLogger, surviveStrayGoodbyes } from "@castellan/telemetry";
import { describeFailure } from "../failure.ts";

import { isSupervisorMessage, type NodeConfig } from "./node-config.ts";
import { nodeFrom } from "./node-from-config.ts";

const logger = createLogger("orchestrator");
surviveStrayGoodbyes(logger);
let starting: Promise<Orchestrator | undefined> = Promise.resolve(undefined);
let stopping = false;

process.on("message", (message: unknown) => {
  if (!isSupervisorMessage(message)) return;
  if (message.kind === "start") starting = start(message.config);
  else stop(message.stopSandboxes);
});
process.on("disconnect", () => stop(false));
process.on("SIGTERM", () => stop(false));
process.on("SIGINT", () => stop(true));
// The supervisor's terminal went away; the supervisor decides what that means.
process.on("SIGHUP", () => undefined);

async function start(config: NodeConfig): Promise<Orchestrator | undefined> {
  try {
    const orchestrator = await nodeFrom(config, logger);
    await orchestrator.listen();
    return orchestrator;
  } catch (error) {
    logger.error({ nodeId: config.nodeId, err: error }, `node cannot start: ${describeFailure(error).text}`);
    process.exitCode = 1;
    if (process.connected) process.disconnect();
    return undefined;
  }
}

function stop(stopSandboxes: boolean): void {
  if (stopping) return;
  stopping = true;
  void shutDown(stopSandboxes);
}

async function shutDown(stopSandboxes: boolean): Promise<void> {
  const orchestrator = await starting;
  await orchestrator?.close({ stopSandboxes });
  if (process.connected) process.disconnect();
  // Whatever an idle connection or a timer still holds must not keep a node that has said good-bye.
  setTimeout(() => process.exit(), 1000).unref();
}
