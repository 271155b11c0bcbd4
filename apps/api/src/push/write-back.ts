import type { AppliedRevisions, Epoch } from "@castellan/domain";
import type { Confirmation, SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";

/**
 * Brings what nodes have confirmed into the store, after the answers that were waiting for it. Steps keep a distance, in
 * which the confirmations of a busy sandbox become one; until it is written, what is noted is known here.
 */
export interface WriteBack {
  note(confirmation: Confirmation): void;
  /** What the node of this execution has confirmed in this epoch and the store may not know yet. */
  pending(executionId: string, epoch: Epoch): AppliedRevisions | undefined;
  /** Resolves once everything noted so far is in the store, or given up. */
  flushed(): Promise<void>;
  close(): Promise<void>;
}

/** The store knows anyway that the push is due: what is dropped is confirmed again by the re-push loop. */
const maxPending = 50_000;
const maxPerStep = 1_000;
/** Between two steps, in milliseconds: far below the second after which the re-push loop would look at an edit. */
const distanceMs = 100;
const retryMs = 500;
const attempts = 5;

export function createWriteBack(store: SandboxStore, logger: Logger): WriteBack {
  let noted = new Map<string, Confirmation>();
  let writing = new Map<string, Confirmation>();
  let running: Promise<void> | undefined;
  let closed = false;

  return {
    note(confirmation) {
      const before = noted.get(confirmation.executionId);
      if (before === undefined && noted.size >= maxPending) return;
      noted.set(
        confirmation.executionId,
        before === undefined ? confirmation : mergeConfirmations(before, confirmation),
      );
      running ??= run();
    },
    pending(executionId, epoch) {
      const confirmation = noted.get(executionId) ?? writing.get(executionId);
      return confirmation?.epoch === epoch ? confirmation.applied : undefined;
    },
    flushed: async () => running,
    async close() {
      closed = true;
      await running;
    },
  };

  async function run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (noted.size > 0) {
      writing = noted;
      noted = new Map();
      const all = [...writing.values()];
      for (let start = 0; start < all.length; start += maxPerStep) await write(all.slice(start, start + maxPerStep));
      writing = new Map();
      if (!closed) await new Promise((resolve) => setTimeout(resolve, distanceMs));
    }
    running = undefined;
  }

  async function write(confirmations: readonly Confirmation[]): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await store.confirm(confirmations);
      } catch (error) {
        logger.warn({ err: error, confirmations: confirmations.length, attempt }, "could not note what nodes hold");
        if (attempt === attempts || closed) return;
        await new Promise((resolve) => setTimeout(resolve, retryMs * attempt));
      }
    }
  }
}

/** Within one boot and epoch the higher revision counts; a newer boot's report replaces the older one's. */
export function mergeConfirmations(before: Confirmation, next: Confirmation): Confirmation {
  if (before.bootId !== next.bootId || before.epoch !== next.epoch) return next;
  return {
    ...next,
    applied: {
      metadata: Math.max(before.applied.metadata, next.applied.metadata),
      endTime: Math.max(before.applied.endTime, next.applied.endTime),
      egress: Math.max(before.applied.egress, next.applied.egress),
    },
  };
}
