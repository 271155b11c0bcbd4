import type { Epoch, Failpoints, Revision, SandboxRecord } from "@castellan/domain";
import type { NodeDirectory } from "../nodes/directory.ts";
import { type LiveFieldName, updateOf } from "../nodes/messages.ts";
import type { StoreClock } from "../store-clock.ts";
import type { WriteBack } from "./write-back.ts";

export interface PushOutcome {
  /** Whether the node holds the record's revision of the field, or a higher one, in this epoch. */
  readonly confirmed: boolean;
  /** The revision that the node last confirmed, in whichever epoch. */
  readonly applied: Revision;
}

/** Tells a sandbox's node about live edits. `epoch` is the one in which the request or the round began. */
export interface Pusher {
  /**
   * Pushes one field of a record as it was just committed, unless its node has confirmed it in this epoch. Waits for the
   * confirmation up to `waitMs`.
   */
  confirm(record: SandboxRecord, field: LiveFieldName, epoch: Epoch, waitMs: number): Promise<PushOutcome>;
  /** Pushes these fields whatever the store believes of the node. Answers whether the node holds all of them now. */
  resend(record: SandboxRecord, fields: readonly LiveFieldName[], epoch: Epoch, waitMs: number): Promise<boolean>;
  /** What the node is known to hold of a field, whether or not the store knows already. */
  applied(record: SandboxRecord, field: LiveFieldName): Revision;
}

export function createPusher(
  directory: NodeDirectory,
  writeBack: WriteBack,
  clock: StoreClock,
  failpoints?: Failpoints,
): Pusher {
  const pusher: Pusher = {
    async confirm(record, field, epoch, waitMs) {
      if (failpoints) await failpoints.wait("api.push.before");
      const { revision } = record[field];
      const applied = pusher.applied(record, field);
      // What a node confirmed in an earlier epoch proves nothing about this one, and its node may hold more than the record.
      if (record.epoch !== epoch) return { confirmed: false, applied };
      if (applied >= revision) return { confirmed: true, applied };
      const confirmed = await send(record, field, epoch, waitMs);
      if (failpoints) await failpoints.wait("api.push.after");
      return { confirmed, applied: Math.max(confirmed ? revision : 0, pusher.applied(record, field)) };
    },
    async resend(record, fields, epoch, waitMs) {
      const held = await Promise.all(fields.map((field) => send(record, field, epoch, waitMs)));
      return held.every(Boolean);
    },
    applied: (record, field) =>
      Math.max(record[field].applied, writeBack.pending(record.executionId, record.epoch)?.[field] ?? 0),
  };
  return pusher;

  async function send(record: SandboxRecord, field: LiveFieldName, epoch: Epoch, waitMs: number): Promise<boolean> {
    // From memory whenever possible: the hot path asks the store for nothing but the edit itself.
    const node = directory.peek(record.nodeId) ?? (await directory.find(record.nodeId));
    if (node === undefined) return false;
    const { teamId, sandboxId, executionId } = record;
    const message = () => updateOf(record, field, epoch, clock.now());
    return node.updates.send(
      { teamId, sandboxId, executionId, field, revision: record[field].revision, epoch, message },
      waitMs,
    );
  }
}
