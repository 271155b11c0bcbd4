import { type Epoch, reachOf } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import type { StoreClock } from "../store-clock.ts";

/**
 * Verifies records after the store may have forgotten: notes which nodes have reported in its epoch, and tells the store
 * of what records is known enough. Every process does it for itself; the store takes each word once.
 */
export interface Verification {
  /** Begins anew, if this is a later epoch. */
  enter(epoch: Epoch): void;
  /** Whether a lease that has run out means anything: since the epoch began, a node has had a lease's time to report. */
  readonly patienceIsOver: boolean;
  /** Whether all that the node holds has reached the store in this epoch. */
  hasReported(nodeId: string, epoch: Epoch): boolean;
  /** Notes that it has. */
  reported(nodeId: string, epoch: Epoch): void;
  /** There is a record of this node that is not verified. */
  reopen(nodeId: string): void;
  /** Whether every record of this node was fully verified in this epoch when it was last looked at. */
  isDone(nodeId: string, epoch: Epoch): boolean;
  /** Verifies what can be verified now. @throws `unavailable`. */
  advance(epoch: Epoch): Promise<void>;
}

export interface VerificationOptions {
  readonly store: SandboxStore;
  readonly clock: StoreClock;
  readonly leaseMs: number;
  readonly logger: Logger;
}

export function createVerification({ store, clock, leaseMs, logger }: VerificationOptions): Verification {
  let current: Epoch = 0;
  let patientUntil = performance.now() + leaseMs;
  const heard = new Set<string>();
  const settled = new Map<string, "some" | "all">();
  let advancing: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;

  const enter = (epoch: Epoch) => {
    if (epoch <= current) return;
    current = epoch;
    patientUntil = performance.now() + leaseMs;
    heard.clear();
    settled.clear();
  };

  return {
    enter,
    get patienceIsOver() {
      return performance.now() >= patientUntil;
    },
    hasReported(nodeId, epoch) {
      enter(epoch);
      return epoch === current && heard.has(nodeId);
    },
    reported(nodeId, epoch) {
      enter(epoch);
      if (epoch === current) heard.add(nodeId);
    },
    reopen: (nodeId) => settled.delete(nodeId),
    isDone: (nodeId, epoch) => epoch === current && settled.get(nodeId) === "all",
    advance(epoch) {
      // One at a time, by all that has been reported when it begins; who comes meanwhile shares the next one.
      waiting ??= advancing.then(() => {
        waiting = undefined;
        const turn = epoch === current ? verify(epoch) : Promise.resolve();
        advancing = turn.catch(() => undefined);
        return turn;
      });
      return waiting;
    },
  };

  async function verify(epoch: Epoch): Promise<void> {
    const forgotten = new Set(await store.listForgottenNodes());
    const now = clock.now();
    const lateCounts = performance.now() >= patientUntil;
    const registered = (await store.listNodes()).map(({ nodeId, leaseExpiresAt }) => ({
      nodeId,
      reported: heard.has(nodeId),
      lapsed: lateCounts && leaseExpiresAt <= now,
    }));
    // All at once: a store commits them together.
    await Promise.all(
      [...registered.map(({ nodeId }) => nodeId), ...forgotten].map(async (nodeId) => {
        const reach = reachOf(nodeId, registered, forgotten);
        const before = settled.get(nodeId);
        if (reach === "none" || before === "all" || before === reach) return;
        const fully = reach === "all";
        const open = (await store.listOnNode(nodeId)).filter(
          (record) => record.epoch !== epoch || (fully && !record.fullyVerified),
        );
        const ownNode = forgotten.has(nodeId) ? ("forgotten" as const) : ("reported" as const);
        await store.verify(
          epoch,
          open.map(({ teamId, sandboxId, executionId }) => ({ teamId, sandboxId, executionId, ownNode, fully })),
        );
        if (epoch !== current) return;
        settled.set(nodeId, reach);
        if (open.length > 0) logger.info({ nodeId, epoch, fully, sandboxes: open.length }, "verified in this epoch");
      }),
    );
  }
}
