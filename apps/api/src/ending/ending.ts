import { setTimeout as sleep } from "node:timers/promises";
import {
  CastellanError,
  type EndCause,
  hasCode,
  type SandboxRecord,
  type SandboxState,
  sandboxNotFound,
} from "@castellan/domain";
import type { ExecutionKey, SandboxStore, Why } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import { Code, ConnectError } from "@connectrpc/connect";
import type { NodeDirectory } from "../nodes/directory.ts";
import type { Timing } from "../options.ts";

/** Ends sandboxes: always the node first, and the record only once the node has promised that nothing is left. */
export interface Ending {
  /** @throws `not_found`; `unavailable` when its node does not answer, and then it is ended as soon as it does. */
  kill(teamId: string, sandboxId: string, cause: EndCause, apiKeyId?: string): Promise<void>;
  /** Ends what is `killing` already. @throws `unavailable` as above. */
  finish(record: SandboxRecord, cause: EndCause): Promise<void>;
  /** Removes the record of an execution that is gone from its node. */
  removeGone(execution: ExecutionKey, nodeId: string, cause: EndCause): Promise<void>;
  /** Ends an execution on a node, whatever the store says of its sandbox. */
  deleteOnNode(nodeId: string, execution: { readonly sandboxId: string; readonly executionId: string }): Promise<void>;
}

export interface EndingOptions {
  readonly store: SandboxStore;
  readonly directory: NodeDirectory;
  readonly timing: Timing;
  readonly logger: Logger;
  readonly onEnded: (sandboxId: string) => void;
}

/** Everything but `killing` itself. */
const killable: readonly SandboxState[] = [
  "creating",
  "running",
  "pausing",
  "paused",
  "resuming",
  "snapshotting",
  "lost",
];
const attempts = 5;
/** A node's process is back within a second or two of its end; deleting twice does what deleting once does. */
const awayPauseMs = 200;

export function createEnding({ store, directory, timing, logger, onEnded }: EndingOptions): Ending {
  const ending: Ending = {
    async kill(teamId, sandboxId, cause, apiKeyId) {
      for (let attempt = 1; ; attempt += 1) {
        const found = await store.get(teamId, sandboxId);
        if (found === undefined) {
          // Somebody else's kill was quicker: it is gone, which is what was asked for.
          if (attempt > 1) return;
          throw sandboxNotFound(sandboxId);
        }
        try {
          const record =
            found.state === "killing"
              ? found
              : await toKilling(found, { cause, ...(apiKeyId !== undefined && { apiKeyId }) });
          return await ending.finish(record, cause);
        } catch (error) {
          const changed = hasCode(error, "conflict") || hasCode(error, "not_found");
          if (!changed || attempt === attempts) throw error;
        }
      }
    },

    async finish(record, cause) {
      const { sandboxId, executionId, nodeId } = record;
      // The loops ask again by themselves, and must not be held up meanwhile.
      await deleteOnNode(nodeId, record, cause === "requested" ? timing.callMs * 2 : 0);
      await ending.removeGone({ teamId: record.teamId, sandboxId, executionId }, nodeId, cause);
    },

    async removeGone(execution, nodeId, cause) {
      const removed = await store.remove(execution, { cause });
      const { teamId, sandboxId, executionId } = execution;
      if (removed) logger.info({ teamId, sandboxId, executionId, nodeId, cause }, "sandbox ended");
      onEnded(sandboxId);
    },

    deleteOnNode: (nodeId, execution) => deleteOnNode(nodeId, execution, 0),
  };
  return ending;

  /** Asks until it has an answer, or the node has been away for `patienceMs`. */
  async function deleteOnNode(
    nodeId: string,
    { sandboxId, executionId }: Pick<SandboxRecord, "sandboxId" | "executionId">,
    patienceMs: number,
  ): Promise<void> {
    const until = performance.now() + patienceMs;
    for (;;) {
      // Anew each time: a node that has restarted may have another address.
      const node = await directory.find(nodeId);
      // Forgotten by the operator, who vouches for it: nothing is left to ask.
      if (node === undefined) return;
      try {
        const epoch = BigInt(await store.epoch());
        await node.client.sandboxes.delete({ epoch, sandboxId, executionId }, { timeoutMs: timing.callMs * 2 });
        return;
      } catch (cause) {
        if (isAway(cause) && performance.now() < until) {
          await sleep(awayPauseMs);
          continue;
        }
        throw new CastellanError(
          "unavailable",
          `The node of sandbox "${sandboxId}" does not answer; the sandbox is ended as soon as it does`,
          { cause, retryAfterSeconds: 5 },
        );
      }
    }
  }

  function toKilling(record: SandboxRecord, why: Why): Promise<SandboxRecord> {
    return store.transition({
      teamId: record.teamId,
      sandboxId: record.sandboxId,
      executionId: record.executionId,
      from: killable,
      to: "killing",
      ...why,
      deadlineMs: timing.callMs * 3,
    });
  }
}

/**
 * Nobody listens there, or the connection broke; not an answer of the node. Node's HTTP/2 calls a stream "cancelled"
 * when its connection ends under it, and nobody here cancels.
 */
function isAway(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.code === Code.Unavailable || error.code === Code.Aborted || error.code === Code.Canceled;
}
