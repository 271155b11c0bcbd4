import type { Services } from "../services.ts";
import { createLoop, forEachAtOnce, type Loop } from "./loop.ts";

const atOnce = 16;

/**
 * Keeps the nodes, the clock and `lost` up to date. A sandbox whose node's lease has run out is lost, not gone: it
 * revives when the node reports it again.
 */
export function createLeaseWatch({ store, directory, clock, verification, timing, logger }: Services): Loop {
  return createLoop({
    name: "leases",
    everyMs: timing.nodesEveryMs,
    logger,
    async run() {
      await clock.sync();
      await directory.refresh();
      // While no control plane or no store was there no node could renew its lease.
      if (!verification.patienceIsOver) return;
      const now = clock.now();
      const silent = directory.all().filter(({ record }) => record.leaseExpiresAt <= now);
      for (const { nodeId, record: node } of silent) {
        const running = (await store.listOnNode(nodeId)).filter(({ state }) => state === "running");
        if (running.length === 0) continue;
        logger.warn({ nodeId, bootId: node.bootId, sandboxes: running.length }, "a node's lease has run out");
        await forEachAtOnce(
          running,
          atOnce,
          async ({ teamId, sandboxId, executionId }) => {
            await store.transition({ teamId, sandboxId, executionId, from: ["running"], to: "lost" });
            logger.warn({ teamId, sandboxId, executionId, nodeId }, "sandbox lost");
          },
          // Another process was quicker, or it has changed since.
          ({ sandboxId }, error) => logger.debug({ sandboxId, err: error }, "not marked as lost"),
        );
      }
    },
  });
}
