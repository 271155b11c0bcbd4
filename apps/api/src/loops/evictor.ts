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
    async run() {
      await forEachAtOnce(
        await store.listEnded(batch),
        atOnce,
        async ({ teamId, sandboxId, executionId }) => {
          const claimed = await store.claimEnded({ teamId, sandboxId, executionId }, "killing", timing.callMs * 3);
          if (claimed !== undefined) await ending.finish(claimed, "timeout");
        },
        // It stays `killing`, and is tried again past its deadline.
        ({ sandboxId, executionId }, error) => logger.warn({ sandboxId, executionId, err: error }, "not ended yet"),
      );
    },
  });
}
