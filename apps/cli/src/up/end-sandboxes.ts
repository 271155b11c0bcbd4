import type { ControlPlane } from "@castellan/api";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";

const atOnce = 8;
/** What is not done by then is left to the nodes, which end their sandboxes themselves and remember it for the store. */
const giveUpAfterMs = 20_000;

/**
 * Ends the sandboxes of these nodes as their owner would through the API, so that the store has their end at once and
 * not only when the nodes come back. Never fails: the nodes end what is left.
 * @returns how many it ended.
 */
export async function endSandboxes(options: {
  readonly controlPlane: ControlPlane;
  readonly store: SandboxStore;
  readonly nodeIds: readonly string[];
  readonly apiKey: string;
  readonly logger: Logger;
}): Promise<number> {
  const { controlPlane, store, nodeIds, apiKey, logger } = options;
  const deadline = AbortSignal.timeout(giveUpAfterMs);
  let ended = 0;
  try {
    const records = (await Promise.all(nodeIds.map((nodeId) => store.listOnNode(nodeId)))).flat();
    const queue = records.values();
    const work = async (): Promise<void> => {
      for (const { sandboxId } of queue) {
        if (deadline.aborted) return;
        const request = { method: "DELETE", url: `/sandboxes/${sandboxId}`, headers: { "x-api-key": apiKey } } as const;
        const { statusCode } = await controlPlane.rest.inject({ ...request, signal: deadline });
        if (statusCode === 204) ended += 1;
        // 404: it has ended by itself, or it is another team's; the nodes know.
        else if (statusCode !== 404) logger.warn({ sandboxId, statusCode }, "sandbox left for its node to end");
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  } catch (error) {
    logger.warn({ err: error }, "sandboxes left for their nodes to end");
  }
  return ended;
}
