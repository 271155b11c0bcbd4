import type { SandboxRecord } from "@castellan/domain";
import { byNode } from "../nodes/by-node.ts";
import type { Services } from "../services.ts";
import { createLoop, forEachAtOnce, type Loop } from "./loop.ts";

const batch = 1_000;
const atOnce = 16;

/**
 * Settles what has been on its way for too long, by asking the node. A start whose caller is gone is ended: nobody was
 * ever told its id. A kill goes on until the node has promised that nothing is left.
 */
export function createOverdueSettler({ store, ending, directory, clock, timing, logger }: Services): Loop {
  return createLoop({
    name: "overdue",
    everyMs: timing.overdueEveryMs,
    logger,
    async run(nodes) {
      for (const [nodeId, records] of byNode(await store.listOverdue(batch))) {
        // Asking a node without a lease costs a deadline each; it is asked once it is back, or forgotten.
        const node = directory.peek(nodeId);
        if (node !== undefined && node.record.leaseExpiresAt <= clock.now()) continue;
        nodes.begin(nodeId, () => forEachAtOnce(records, atOnce, settle, notYet));
      }
    },
  });

  async function settle(record: SandboxRecord): Promise<void> {
    // The store may have forgotten that a start succeeded and was answered: first its node has its say.
    if (record.state === "creating" && record.epoch !== (await store.epoch())) return;
    switch (record.state) {
      case "killing":
        return ending.finish(record, "overdue");
      case "creating":
        return ending.kill(record.teamId, record.sandboxId, "overdue");
      default:
        // Nothing in this version begins a pause, a resume or a snapshot.
        logger.error({ sandboxId: record.sandboxId, state: record.state }, "nothing settles this state");
    }
  }

  function notYet({ sandboxId, executionId, state }: SandboxRecord, error: unknown): void {
    logger.warn({ sandboxId, executionId, state, err: error }, "not settled yet");
  }
}
