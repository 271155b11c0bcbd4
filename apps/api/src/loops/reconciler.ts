import type { Deletion, RunningSandbox, SandboxListResponse } from "@castellan/contracts/sandbox";
import { DeletionCause } from "@castellan/contracts/sandbox";
import { type EndCause, type Epoch, hasCode, metadataHash, type SandboxRecord } from "@castellan/domain";
import type { Confirmation } from "@castellan/store";
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

type ReconcilerServices = Pick<
  Services,
  "store" | "directory" | "ending" | "pusher" | "verification" | "clock" | "timing" | "logger"
>;

/** One look at one node. */
interface Round {
  readonly node: KnownNode;
  readonly epoch: Epoch;
  readonly list: SandboxListResponse;
  /** What the store had on the node before it was asked: what of that is running there now must be in its List. */
  readonly records: ReadonlyMap<string, SandboxRecord>;
  /** Whether the node speaks for the first time in this epoch: then the store may have forgotten what it says. */
  readonly isFirst: boolean;
  readonly signal: AbortSignal;
}

/** How soon a node is asked again that has a lease and has not reported in this epoch, in milliseconds. */
const askAgainMs = 200;

/**
 * Compares what each node says it runs with what the store says, and repairs: takes over what the store forgot, verifies
 * what nodes have reported of, pushes what the node is behind in, removes what the node says is gone, revives what was
 * lost, and ends orphans. Only positive evidence ends or removes anything; a node that does not answer proves nothing.
 */
export function createReconciler(services: ReconcilerServices): Loop {
  const { store, directory, ending, pusher, verification, clock, timing, logger } = services;
  const acknowledged = new Map<string, Acknowledged>();
  let epochNow: Epoch = 0;

  return createLoop({
    name: "reconciler",
    everyMs: () => (everyNodeHasReported() ? timing.reconcileEveryMs : Math.min(askAgainMs, timing.reconcileEveryMs)),
    logger,
    async run(nodes, signal) {
      epochNow = await store.epoch();
      for (const node of directory.all()) nodes.begin(node.nodeId, () => rounds(node, signal));
    },
  });

  function everyNodeHasReported(): boolean {
    const now = clock.now();
    return directory
      .all()
      .every(({ nodeId, record }) => record.leaseExpiresAt <= now || verification.hasReported(nodeId, epochNow));
  }

  /** One round, and another one at once if the store's epoch has become another meanwhile. */
  async function rounds(node: KnownNode, signal: AbortSignal): Promise<void> {
    let begun: Epoch | undefined;
    while (!signal.aborted) {
      // A store that does not answer is asked again in the next run, and not at once.
      const epoch = await store.epoch().catch(() => undefined);
      if (epoch === undefined || epoch === begun) return;
      begun = epoch;
      await reconcile(node, epoch, signal).catch((error) =>
        logger.debug({ nodeId: node.nodeId, err: error }, "a node was not reconciled"),
      );
    }
  }

  async function reconcile(node: KnownNode, epoch: Epoch, signal: AbortSignal): Promise<void> {
    const { nodeId } = node;
    const isFirst = !verification.hasReported(nodeId, epoch);
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
    const round: Round = { node, epoch, list, records, isFirst, signal };
    if (before.some((record) => record.epoch !== epoch)) verification.reopen(nodeId);

    const gone = await takeDeletions(round);
    const { toAdopt, complete } = await compareAll(round);
    const adopted = toAdopt.size === 0 || (await adopt(round, toAdopt));
    if (complete && adopted) verification.reported(nodeId, epoch);
    if (!verification.isDone(nodeId, epoch)) await verification.advance(epoch);

    const listed = new Set(list.sandboxes.map(({ executionId }) => executionId));
    for (const record of before) {
      const missing = !listed.has(record.executionId) && !gone.has(record.executionId);
      if (missing && isConfirmed(record, epoch)) await guarded(record, () => removeMissing(node, record));
    }
  }

  /** What fails for one sandbox is looked at again in the next round, and holds up no other. Answers whether it went well. */
  async function guarded(about: ExecutionName, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const { sandboxId, executionId } = about;
      logger.warn({ sandboxId, executionId, err: error }, "a sandbox was not reconciled");
      // What makes no sense will not make any next time either, and must not keep all others waiting.
      return hasCode(error, "invalid_argument");
    }
  }

  /**
   * A node's own account of ends: each counts for the execution it names, and for no other. Answers all of them. Those of
   * records that are not verified wait, as another node may run a newer execution.
   */
  async function takeDeletions({ node, epoch, list, records }: Round): Promise<ReadonlySet<string>> {
    let waiting: bigint | undefined;
    for (const deletion of list.deletions) {
      const record = records.get(deletion.sandboxId) ?? (await store.locate(deletion.sandboxId));
      if (record?.executionId !== deletion.executionId) continue;
      const taken = record.epoch === epoch && (await guarded(deletion, () => takeDeletion(node, deletion, record)));
      if (!taken && (waiting === undefined || deletion.sequence < waiting)) waiting = deletion.sequence;
    }
    noteAcknowledged(node.nodeId, list, waiting);
    return new Set(list.deletions.map(({ executionId }) => executionId));
  }

  async function takeDeletion(node: KnownNode, deletion: Deletion, record: SandboxRecord): Promise<void> {
    const { teamId, sandboxId, executionId } = record;
    logger.info(
      { sandboxId, executionId, nodeId: node.nodeId, cause: enumName(DeletionCause, deletion.cause) },
      "the node ended it",
    );
    await ending.removeGone({ teamId, sandboxId, executionId }, node.nodeId, causes[deletion.cause] ?? "unknown");
  }

  function noteAcknowledged(nodeId: string, { bootId, deletions }: SandboxListResponse, waiting?: bigint): void {
    const before = acknowledged.get(nodeId);
    // What an earlier boot counted says nothing about this one's numbers.
    let highest = before?.bootId === bootId ? before.sequence : 0n;
    for (const { sequence } of deletions) {
      if (sequence > highest && (waiting === undefined || sequence < waiting)) highest = sequence;
    }
    acknowledged.set(nodeId, { bootId, sequence: highest });
  }

  /** Answers the executions that the store has to hear more of, and whether everything else has reached it. */
  async function compareAll(round: Round): Promise<{ toAdopt: ReadonlySet<string>; complete: boolean }> {
    const { node, list, records } = round;
    const toAdopt = new Set<string>();
    const confirmations: Confirmation[] = [];
    let complete = true;
    for (const listed of list.sandboxes) {
      const done = await guarded(listed, async () => {
        const record = records.get(listed.sandboxId) ?? (await store.locate(listed.sandboxId));
        const isNews = record === undefined || (await mayKnowMore(round, listed, record));
        if (isNews) toAdopt.add(listed.executionId);
        if (record?.executionId === listed.executionId) confirmations.push(...(await compare(round, listed, record)));
        else if (record !== undefined && !isNews) await settleOther(round, listed, record);
      });
      complete &&= done;
    }
    await store.confirm(confirmations);
    if (toAdopt.size > 0) verification.reopen(node.nodeId);
    return { toAdopt, complete };
  }

  /** Whether the node may hold what the store has forgotten: a newer execution, or revisions that the record does not know. */
  async function mayKnowMore(
    { epoch, isFirst }: Round,
    listed: RunningSandbox,
    record: SandboxRecord,
  ): Promise<boolean> {
    if (record.executionId !== listed.executionId) return Number(listed.generation) > record.generation;
    const applied = appliedOf(listed.applied);
    const isAhead = (of: SandboxRecord) => liveFields.some((field) => applied[field] > of[field].revision);
    if (record.epoch !== epoch && (record.state === "creating" || record.state === "resuming")) return true;
    // Under own edits of an earlier epoch, what the node holds may be news although its revision is lower.
    if (isFirst && !record.fullyVerified) return true;
    if (!isAhead(record)) return false;
    // Somebody may have edited it since the record was read.
    const now = isFirst ? record : await store.locate(record.sandboxId);
    return now !== undefined && now.executionId === listed.executionId && isAhead(now);
  }

  /** Repairs what differs; answers what the store is to be told of it. */
  async function compare(
    { list: { bootId }, epoch }: Round,
    listed: RunningSandbox,
    record: SandboxRecord,
  ): Promise<Confirmation[]> {
    const { teamId, sandboxId, executionId } = record;
    const applied = appliedOf(listed.applied);
    if (record.state === "lost") {
      const confirmed = { bootId, applied };
      await store.transition({ teamId, sandboxId, executionId, from: ["lost"], to: "running", confirmed });
      logger.info({ teamId, sandboxId, executionId, nodeId: record.nodeId }, "sandbox found again");
    }
    // Whoever is starting or ending it has its own word with the node.
    if (record.state === "creating" || record.state === "killing") return [];

    const isVerified = record.epoch === epoch;
    const differs =
      !isVerified || record.bootId !== bootId || liveFields.some((field) => record[field].applied !== applied[field]);
    const behind = liveFields.filter((field) => applied[field] < record[field].revision);
    if (behind.length > 0 && isVerified) void pusher.resend(record, behind, epoch, timing.confirmMs).catch(() => {});

    const sameRevision = applied.metadata === record.metadata.revision;
    if (sameRevision && !Buffer.from(listed.metadataHash).equals(metadataHash(record.metadata.value))) {
      logger.error({ sandboxId, executionId, revision: applied.metadata }, "store and node differ at one revision");
    }
    return differs ? [{ teamId, sandboxId, executionId, epoch, bootId, applied }] : [];
  }

  /** The node runs an execution that is no newer than the record's, and another one. */
  async function settleOther({ node, epoch }: Round, listed: RunningSandbox, record: SandboxRecord): Promise<void> {
    const { sandboxId, executionId } = listed;
    const superseded =
      record.generation > Number(listed.generation) &&
      record.state === "running" &&
      record.bootId !== undefined &&
      record.epoch === epoch;
    if (superseded || (await store.isTombstoned(sandboxId, executionId))) {
      logger.warn({ sandboxId, executionId, nodeId: node.nodeId, newer: record.executionId }, "ending an orphan");
      await ending.deleteOnNode(node.nodeId, listed);
    }
  }

  /** Takes over what the store does not know; what it has buried is ended instead. Answers whether all went well. */
  async function adopt({ node, epoch, signal }: Round, wanted: ReadonlySet<string>): Promise<boolean> {
    const { nodeId } = node;
    const list = await node.client.sandboxes.list(
      { epoch: BigInt(epoch), includeManifests: true, manifestsOf: [...wanted], acknowledgeDeletionsTo: 0n },
      { timeoutMs: timing.callMs * 2, signal },
    );
    let complete = true;
    for (const listed of list.sandboxes) {
      const { sandboxId, executionId, manifest } = listed;
      if (!wanted.has(executionId) || manifest === undefined) continue;
      const done = await guarded(listed, async () => {
        const outcome = await store.adopt(adoptedOf(manifest, { nodeId, bootId: list.bootId, epoch }));
        if (outcome === "adopted" || outcome === "merged") {
          logger.warn({ sandboxId, executionId, nodeId, outcome }, "took over what the store had forgotten");
        } else if (outcome === "tombstoned") {
          logger.warn({ sandboxId, executionId, nodeId }, "ending what was removed");
          await ending.deleteOnNode(nodeId, { sandboxId, executionId });
        }
      });
      complete &&= done;
    }
    return complete;
  }

  /** Its start was confirmed before the List, so the List would show it; and no other node knows of a newer one. */
  function isConfirmed({ state, bootId, epoch: verifiedIn }: SandboxRecord, epoch: Epoch): boolean {
    return (state === "running" || state === "lost") && bootId !== undefined && verifiedIn === epoch;
  }

  async function removeMissing(node: KnownNode, record: SandboxRecord): Promise<void> {
    // The List lacks it; the node's promise that it will not come back makes it gone.
    await ending.deleteOnNode(node.nodeId, record);
    const { teamId, sandboxId, executionId } = record;
    logger.warn({ sandboxId, executionId, nodeId: node.nodeId }, "the node no longer runs it");
    await ending.removeGone({ teamId, sandboxId, executionId }, node.nodeId, "node_says_gone");
  }
}
