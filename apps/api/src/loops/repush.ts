import type { Epoch, SandboxRecord } from "@castellan/domain";
import { byNode } from "../nodes/by-node.ts";
import { liveFields } from "../nodes/messages.ts";
import type { Services } from "../services.ts";
import { createLoop, forEachAtOnce, type Loop } from "./loop.ts";

const batch = 500;
const atOnce = 64;

type RepushServices = Pick<Services, "store" | "pusher" | "directory" | "clock" | "timing" | "logger">;

/** Pushes what nodes may not know, until they confirm it. Nothing is ever rolled back in the store. */
export function createRepusher({ store, pusher, directory, clock, timing, logger }: RepushServices): Loop {
  return createLoop({
    name: "repush",
    everyMs: timing.repushEveryMs,
    logger,
    async run(nodes) {
      const epoch = await store.epoch();
      for (const [nodeId, records] of byNode(await store.listPushDue(batch))) {
        nodes.begin(nodeId, () => forEachAtOnce(records, atOnce, (record) => push(record, epoch), notYet));
      }
    },
  });

  async function push(record: SandboxRecord, epoch: Epoch): Promise<void> {
    const { teamId, sandboxId, executionId } = record;
    // Its node may hold more than the record; the store brings it forward once it is verified.
    if (record.epoch !== epoch) return store.deferPush({ teamId, sandboxId, executionId }, timing.leaseMs);
    const behind = liveFields.filter((field) => record[field].applied < record[field].revision);
    const node = await directory.find(record.nodeId);
    const answers = node !== undefined && node.record.leaseExpiresAt > clock.now();
    if (answers && (await pusher.resend(record, behind, epoch, timing.confirmMs))) return;
    await store.deferPush({ teamId, sandboxId, executionId }, answers ? timing.confirmMs : timing.leaseMs / 2);
  }

  function notYet({ sandboxId, executionId }: SandboxRecord, error: unknown): void {
    logger.warn({ sandboxId, executionId, err: error }, "not pushed yet");
  }
}
