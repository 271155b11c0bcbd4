import type { Deletion, RunningSandbox, SandboxListResponse } from "@castellan/contracts/sandbox";
import { DeletionCause } from "@castellan/contracts/sandbox";
import { type EndCause, metadataHash, type SandboxRecord } from "@castellan/domain";
import type { KnownNode } from "../nodes/directory.ts";
import { adoptedOf, appliedOf, enumName, liveFields } from "../nodes/messages.ts";
import type { Services } from "../services.ts";
import { createLoop, type Loop } from "./loop.ts";

interface ExecutionName {
  readonly sandboxId: string;
  readonly executionId: string;
}

const causes: Readonly<Record<DeletionCause, EndCause>> = {
  [DeletionCause.UNSPECIFIED]: "node_says_gone",
  [DeletionCause.REQUESTED]: "requested",
  [DeletionCause.EXPIRED]: "timeout",
  [DeletionCause.EXITED]: "exited",
  [DeletionCause.START_FAILED]: "start_failed",
  [DeletionCause.SHUTDOWN]: "node_shutdown",
};

/** How far the deletions of one boot of a node have reached the store. */
interface Acknowledged {
  readonly bootId: string;
  readonly sequence: bigint;
}

/**
 * Compares what each node says it runs with what the store says, and repairs: pushes what the node is behind in, adopts
 * what the store forgot, removes what the node says is gone, revives what was lost, and ends orphans. Only positive
 * evidence ends or removes anything; a node that does not answer proves nothing.
 */
export function createReconciler(services: Services): Loop {
  const { store, directory, ending, pusher, timing, logger } = services;
  const acknowledged = new Map<string, Acknowledged>();

  return createLoop({
    name: "reconciler",
    everyMs: timing.reconcileEveryMs,
    logger,
    async run(nodes, signal) {
      for (const node of directory.all()) {
        nodes.begin(node.nodeId, () =>
          reconcile(node, signal).catch((error) =>
            logger.debug({ nodeId: node.nodeId, err: error }, "a node was not reconciled"),
          ),
        );
      }
    },
  });

  async function reconcile(node: KnownNode, signal: AbortSignal): Promise<void> {
    const { nodeId } = node;
    const epoch = await store.epoch();
    // Before the List: what is running here now must be in it, unless it is gone.
    const before = await store.listOnNode(nodeId);
    const known = acknowledged.get(nodeId);
    const sequence = known?.bootId === node.record.bootId ? known.sequence : 0n;
    const list = await node.client.sandboxes.list(
      { epoch: BigInt(epoch), includeManifests: false, acknowledgeDeletionsTo: sequence },
      { timeoutMs: timing.callMs, signal },
    );
    if (Number(list.epoch) > epoch) {
      await store.raiseEpoch(Number(list.epoch));
      logger.warn({ nodeId, epoch, nodeEpoch: Number(list.epoch) }, "a node knows a later epoch than the store");
      return;
    }

    const records = new Map(before.map((record) => [record.sandboxId, record]));
    const gone = new Set<string>();
    for (const deletion of list.deletions) {
      await takeDeletion(node, deletion, records.get(deletion.sandboxId));
      gone.add(deletion.executionId);
    }
    noteAcknowledged(nodeId, list);

    const listedExecutions = new Set<string>();
    const unknown = new Set<string>();
    for (const listed of list.sandboxes) {
      listedExecutions.add(listed.executionId);
      await guarded(listed, async () => {
        const record = records.get(listed.sandboxId) ?? (await store.locate(listed.sandboxId));
        if (record === undefined) unknown.add(listed.executionId);
        else if (record.executionId === listed.executionId) await compare(list.bootId, listed, record, epoch);
        else await settleOther(node, listed, record);
      });
    }
    if (unknown.size > 0) await adopt(node, unknown, epoch, signal);

    for (const record of before) {
      const missing = !listedExecutions.has(record.executionId) && !gone.has(record.executionId);
      if (missing && isConfirmed(record)) await guarded(record, () => removeMissing(node, record));
    }
  }

  /** What fails for one sandbox is looked at again in the next round, and holds up no other. */
  async function guarded(about: ExecutionName, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { sandboxId, executionId } = about;
      logger.warn({ sandboxId, executionId, err: error }, "a sandbox was not reconciled");
    }
  }

  /** A node's own account of an end. It counts for the execution it names, and for no other. */
  async function takeDeletion(node: KnownNode, deletion: Deletion, known: SandboxRecord | undefined): Promise<void> {
    const record = known ?? (await store.locate(deletion.sandboxId));
    if (record?.executionId !== deletion.executionId) return;
    const { teamId, sandboxId, executionId } = record;
    logger.info(
      { sandboxId, executionId, nodeId: node.nodeId, cause: enumName(DeletionCause, deletion.cause) },
      "the node ended it",
    );
    await ending.removeGone({ teamId, sandboxId, executionId }, node.nodeId, causes[deletion.cause] ?? "unknown");
  }

  function noteAcknowledged(nodeId: string, { bootId, deletions }: SandboxListResponse): void {
    const before = acknowledged.get(nodeId);
    // What an earlier boot counted says nothing about this one's numbers.
    let highest = before?.bootId === bootId ? before.sequence : 0n;
    for (const { sequence } of deletions) {
      if (sequence > highest) highest = sequence;
    }
    acknowledged.set(nodeId, { bootId, sequence: highest });
  }

  async function compare(bootId: string, listed: RunningSandbox, record: SandboxRecord, epoch: number): Promise<void> {
    const { teamId, sandboxId, executionId } = record;
    const applied = appliedOf(listed.applied);
    if (record.state === "lost") {
      const confirmed = { bootId, applied };
      await store.transition({ teamId, sandboxId, executionId, from: ["lost"], to: "running", confirmed });
      logger.info({ teamId, sandboxId, executionId, nodeId: record.nodeId }, "sandbox found again");
    }
    // Whoever is starting or ending it has its own word with the node.
    if (record.state === "creating" || record.state === "killing") return;

    const differs =
      record.epoch !== epoch ||
      record.bootId !== bootId ||
      liveFields.some((field) => record[field].applied !== applied[field]);
    if (differs) await store.confirm([{ teamId, sandboxId, executionId, epoch, bootId, applied }]);
    const behind = liveFields.filter((field) => applied[field] < record[field].revision);
    if (behind.length > 0) void pusher.resend(record, behind, epoch, timing.confirmMs).catch(() => {});

    const sameRevision = applied.metadata === record.metadata.revision;
    if (sameRevision && !Buffer.from(listed.metadataHash).equals(metadataHash(record.metadata.value))) {
      logger.error({ sandboxId, executionId, revision: applied.metadata }, "store and node differ at one revision");
    }
  }

  /** The node runs another execution than the record's. */
  async function settleOther(node: KnownNode, listed: RunningSandbox, record: SandboxRecord): Promise<void> {
    const { sandboxId, executionId } = listed;
    const superseded =
      record.generation > Number(listed.generation) && record.state === "running" && record.bootId !== undefined;
    if (superseded || (await store.isTombstoned(sandboxId, executionId))) {
      logger.warn({ sandboxId, executionId, nodeId: node.nodeId, newer: record.executionId }, "ending an orphan");
      await ending.deleteOnNode(node.nodeId, listed);
    }
  }

  /** Takes over what the store does not know; what it has buried is ended instead. */
  async function adopt(
    node: KnownNode,
    wanted: ReadonlySet<string>,
    epoch: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { nodeId } = node;
    const list = await node.client.sandboxes.list(
      { epoch: BigInt(epoch), includeManifests: true, acknowledgeDeletionsTo: 0n },
      { timeoutMs: timing.callMs * 2, signal },
    );
    for (const listed of list.sandboxes) {
      const { sandboxId, executionId, manifest } = listed;
      if (!wanted.has(executionId) || manifest === undefined) continue;
      await guarded(listed, async () => {
        const outcome = await store.adopt(adoptedOf(manifest, { nodeId, bootId: list.bootId, epoch }));
        if (outcome === "adopted") {
          logger.warn({ sandboxId, executionId, nodeId }, "adopted what the store had forgotten");
        } else if (outcome === "tombstoned") {
          logger.warn({ sandboxId, executionId, nodeId }, "ending what was removed");
          await ending.deleteOnNode(nodeId, { sandboxId, executionId });
        }
      });
    }
  }

  /** Its start was confirmed before the List, so the List would show it. */
  function isConfirmed({ state, bootId }: SandboxRecord): boolean {
    return (state === "running" || state === "lost") && bootId !== undefined;
  }

  async function removeMissing(node: KnownNode, record: SandboxRecord): Promise<void> {
    // The List lacks it; the node's promise that it will not come back makes it gone.
    await ending.deleteOnNode(node.nodeId, record);
    const { teamId, sandboxId, executionId } = record;
    logger.warn({ sandboxId, executionId, nodeId: node.nodeId }, "the node no longer runs it");
    await ending.removeGone({ teamId, sandboxId, executionId }, node.nodeId, "node_says_gone");
  }
}
