import type { SandboxRecord } from "@castellan/domain";
import { byNode } from "../nodes/by-node.ts";
import type { Services } from "../services.ts";
import { createLoop, forEachAtOnce, type Loop } from "./loop.ts";

const batch = 200;
const atOnce = 16;

/**
 * Ends sandboxes whose time is over. The store claims each one only if its end is still in the past in that same step,
 * so an extension that was acknowledged is never overtaken. There is nothing to pause here: a create that asks for a
 * pause at the end is refused as long as nodes cannot do it.
 */
export function createEvictor({ store, ending, timing, logger }: Services): Loop {
  return createLoop({
    name: "evictor",
    everyMs: timing.evictEveryMs,
    logger,
    async run(nodes) {
      const claimed: SandboxRecord[] = [];
      await forEachAtOnce(
        await store.listEnded(batch),
        atOnce,
        async ({ teamId, sandboxId, executionId }) => {
          const record = await store.claimEnded({ teamId, sandboxId, executionId }, "killing", timing.callMs * 3);
          if (record !== undefined) claimed.push(record);
        },
        notYet,
      );
      for (const [nodeId, records] of byNode(claimed)) {
        // What a busy node is not asked now stays `killing`, and is settled past its deadline.
        nodes.begin(nodeId, () => forEachAtOnce(records, atOnce, (record) => ending.finish(record, "timeout"), notYet));
      }
    },
  });

  function notYet({ sandboxId, executionId }: SandboxRecord, error: unknown): void {
    logger.warn({ sandboxId, executionId, err: error }, "not ended yet");
  }
}
