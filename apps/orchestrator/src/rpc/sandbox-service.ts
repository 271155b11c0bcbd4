import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type RunningSandbox,
  RunningSandboxSchema,
  type SandboxService,
  type SandboxUpdateRequest,
  type SandboxUpdateResult,
  SandboxUpdateResultSchema,
  UpdateOutcome,
  type UpdateStreamRequest,
  type UpdateStreamResponseSchema,
} from "@castellan/contracts/sandbox";
import { CastellanError, type Failpoints, type Metadata, metadataHash } from "@castellan/domain";
import { toConnectError } from "@castellan/rpc";
import type { Logger } from "@castellan/telemetry";
import { ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { UpdateOutcomeName } from "../sandboxes/apply-update.ts";
import type { Execution } from "../sandboxes/execution.ts";
import {
  appliedRevisions,
  deletionCauseOf,
  liveManifest,
  readNumber,
  readStartOrder,
  readUpdate,
} from "../sandboxes/messages.ts";
import type { Journal } from "../state/journal.ts";
import { inOrder } from "./in-order.ts";
import { type ObservationParts, observations } from "./observations.ts";

export interface SandboxServiceParts extends ObservationParts {
  readonly bootId: string;
  readonly journal: Journal;
  readonly logger: Logger;
  /** Where a test steps in. */
  readonly failpoints?: Failpoints | undefined;
}

/** Messages of one stream that are worked on at once; more wait in the connection's window. */
const streamMessagesAtOnce = 32;

/** The contract's verbs over this node's sandboxes. */
export function sandboxService(parts: SandboxServiceParts): ServiceImpl<typeof SandboxService> {
  const { bootId, journal, sandboxes, logger, failpoints } = parts;
  /**
   * The highest deletion that this process has told of. An acknowledgement of more is of another life of the node, one
   * whose state directory is gone.
   */
  let toldTo = 0;

  const answer = () => ({ bootId, epoch: BigInt(journal.state.epoch) });

  const admit = async (wireEpoch: bigint) => {
    const epoch = readNumber(wireEpoch, "epoch");
    if (await journal.admitEpoch(epoch)) return epoch;
    throw new CastellanError("precondition_failed", `Epoch ${epoch} is older than what the node has seen`);
  };

  const update = async (request: SandboxUpdateRequest): Promise<SandboxUpdateResult> => {
    const { sandboxId, executionId } = request;
    let outcome: UpdateOutcomeName = "failed";
    let message: string;
    let held = journal.state.held(sandboxId);
    try {
      if (failpoints) await failpoints.wait("node.update.before");
      ({ outcome, message, held } = await sandboxes.update(readUpdate(request)));
      if (failpoints) await failpoints.wait("node.update.after");
    } catch (error) {
      message = CastellanError.from(error).message;
      logger.warn({ err: error, sandboxId, executionId }, "update was not applied");
    }
    return create(SandboxUpdateResultSchema, {
      sandboxId,
      executionId,
      outcome: outcomeOf[outcome],
      applied: appliedRevisions(held),
      message,
    });
  };

  const updateAll = async ({
    updates,
  }: UpdateStreamRequest): Promise<MessageInitShape<typeof UpdateStreamResponseSchema>> => {
    const results = await Promise.all(updates.map(update));
    return { ...answer(), results };
  };

  return {
    async create(request, context) {
      const order = readStartOrder(request.manifest);
      const epoch = await admit(request.epoch);
      const held = await sandboxes.create(epoch, order, context.signal);
      return { ...answer(), applied: appliedRevisions(held) };
    },

    async update(request) {
      const result = await update(request);
      return { ...answer(), result };
    },

    async *updateStream(requests, context) {
      try {
        yield* inOrder(requests, streamMessagesAtOnce, updateAll, context.signal);
      } catch (error) {
        // The other side ended the stream or died; what it sent has been applied and it will ask again.
        logger.debug({ err: error }, "update stream broke off");
        if (!context.signal.aborted) throw toConnectError(error);
      }
      if (context.signal.aborted) throw ConnectError.from(context.signal.reason);
    },

    async list(request) {
      await admit(request.epoch);
      const to = readNumber(request.acknowledgeDeletionsTo, "acknowledged sequence");
      if (to > 0) await sandboxes.acknowledgeDeletions(Math.min(to, toldTo));
      const { state } = journal;
      const manifestsOf = new Set(request.manifestsOf);
      const withManifest = (executionId: string) =>
        request.includeManifests && (manifestsOf.size === 0 || manifestsOf.has(executionId));
      const describe = (execution: Execution): RunningSandbox => {
        const { sandboxId, executionId, generation, manifest, deadline } = execution;
        const held = state.held(sandboxId);
        return create(RunningSandboxSchema, {
          sandboxId,
          executionId,
          generation: BigInt(generation),
          applied: appliedRevisions(held),
          metadataHash: hashOf(held.metadata.value),
          ...(withManifest(executionId) ? { manifest: liveManifest(manifest, held, deadline) } : {}),
        });
      };
      for (const { sequence } of state.deletions) toldTo = Math.max(toldTo, sequence);
      return {
        ...answer(),
        sandboxes: Array.from(sandboxes.visible(), describe),
        deletions: Array.from(state.deletions, ({ sandboxId, executionId, sequence, cause }) => ({
          sandboxId,
          executionId,
          sequence: BigInt(sequence),
          cause: deletionCauseOf[cause],
        })),
      };
    },

    async delete(request) {
      const { sandboxId, executionId } = request;
      if (!/^[a-z0-9]{1,64}$/.test(executionId)) {
        throw new CastellanError("invalid_argument", "The execution id must be 1 to 64 of a-z and 0-9");
      }
      await admit(request.epoch);
      const deleted = await sandboxes.delete(sandboxId, executionId);
      return { ...answer(), deleted };
    },

    ...observations(parts),

    pause: notOnThisNode,
    checkpoint: notOnThisNode,
    resume: notOnThisNode,
  };
}

const outcomeOf: Readonly<Record<UpdateOutcomeName, UpdateOutcome>> = {
  held: UpdateOutcome.HELD,
  not_found: UpdateOutcome.NOT_FOUND,
  other_execution: UpdateOutcome.OTHER_EXECUTION,
  stale_epoch: UpdateOutcome.STALE_EPOCH,
  failed: UpdateOutcome.FAILED,
};

function notOnThisNode(): never {
  throw new CastellanError("unimplemented", "Pause with memory is not available on this node");
}

const hashes = new WeakMap<Metadata, Uint8Array<ArrayBuffer>>();

/** Maps are replaced, never changed, so a hash holds as long as its map. */
function hashOf(metadata: Metadata): Uint8Array<ArrayBuffer> {
  let hash = hashes.get(metadata);
  if (hash === undefined) {
    hash = new Uint8Array(metadataHash(metadata));
    hashes.set(metadata, hash);
  }
  return hash;
}
