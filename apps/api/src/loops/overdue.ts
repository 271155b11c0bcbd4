import type { SandboxRecord } from "@castellan/domain";
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
    async run() {
      const overdue = await store.listOverdue(batch);
      await forEachAtOnce(overdue.filter(canBeAsked), atOnce, settle, ({ sandboxId, executionId, state }, error) =>
        logger.warn({ sandboxId, executionId, state, err: error }, "not settled yet"),
      );
    },
  });

  /** Asking a node without a lease costs a deadline each; it is asked once it is back, or forgotten. */
  function canBeAsked({ nodeId }: SandboxRecord): boolean {
    const node = directory.peek(nodeId);
    return node === undefined || node.record.leaseExpiresAt > clock.now();
  }

  async function settle(record: SandboxRecord): Promise<void> {
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
}
