import { CastellanError } from "@castellan/domain";
import type { HeldSandbox } from "../state/node-state.ts";
import type { Execution } from "./execution.ts";
import { type IncomingFields, type LiveUpdate, liveRecord } from "./messages.ts";
import type { SandboxParts } from "./node-sandboxes.ts";
import type { Serial } from "./serial.ts";

export type UpdateOutcomeName = "held" | "not_found" | "other_execution" | "stale_epoch" | "failed";

export interface UpdateResult {
  readonly outcome: UpdateOutcomeName;
  /** What the node holds now. */
  readonly held: HeldSandbox;
  /** For the log; empty when held. */
  readonly message: string;
}

/**
 * Applies one update's newer fields, all or none. What can fail goes first and can be undone: the network's rules; then
 * end time and metadata become durable and visible in one synchronous step.
 */
export async function applyUpdate(
  { journal, runtime }: SandboxParts,
  serial: Serial,
  update: LiveUpdate,
  current: () => Execution | undefined,
): Promise<UpdateResult> {
  const { sandboxId, executionId, epoch } = update;
  const result = (outcome: UpdateOutcomeName, message = ""): UpdateResult => ({
    outcome,
    held: journal.state.held(sandboxId),
    message,
  });
  const stale = () => result("stale_epoch", `Epoch ${epoch} is older than what the node has seen`);
  try {
    if (!(await journal.admitEpoch(epoch))) return stale();
  } catch (error) {
    return result("failed", CastellanError.from(error).message);
  }

  return serial.run(sandboxId, async () => {
    const execution = current();
    if (execution === undefined) return result("not_found", "The node runs no such sandbox");
    if (execution.executionId !== executionId) {
      return result("other_execution", `The node runs execution ${execution.executionId}`);
    }
    const held = journal.state.held(sandboxId);
    const fields = newerFields(update.fields, held);
    if (Object.keys(fields).length === 0) return result("held");

    const useEgress = async (policy: HeldSandbox["egress"]["value"]) => runtime.setEgress(executionId, policy);
    const undo = async () => {
      if (fields.egress === undefined) return;
      await useEgress(held.egress.value).catch((error: unknown) => {
        execution.logger.error({ err: error }, "cannot put the old egress rules back");
      });
    };
    const ending = () => execution.phase !== "running";

    if (ending()) return result("failed", "The sandbox is being ended");
    if (fields.egress !== undefined) {
      try {
        await useEgress(fields.egress.value);
      } catch (error) {
        await undo();
        execution.logger.warn({ err: error, revision: fields.egress.revision }, "egress rules were not applied");
        return result("failed", `The egress rules were not applied: ${CastellanError.from(error).message}`);
      }
    }
    // From here to the record in one step: whoever speaks for a newer epoch sees this update applied or never.
    if (ending() || journal.isStale(epoch)) {
      await undo();
      return ending() ? result("failed", "The sandbox is being ended") : stale();
    }
    try {
      await journal.record(liveRecord(update, fields));
    } catch (error) {
      await undo();
      return result("failed", CastellanError.from(error).message);
    }
    // The end had begun before the update was there; an end time that was confirmed is never overtaken.
    if (ending()) return result("failed", "The sandbox is being ended");
    if (fields.endTime !== undefined) execution.deadline = fields.endTime.value.deadline;
    return result("held");
  });
}

function newerFields({ metadata, endTime, egress }: IncomingFields, held: HeldSandbox): IncomingFields {
  return {
    ...(metadata !== undefined && metadata.revision > held.metadata.revision ? { metadata } : {}),
    ...(endTime !== undefined && endTime.revision > held.endTime.revision ? { endTime } : {}),
    ...(egress !== undefined && egress.revision > held.egress.revision ? { egress } : {}),
  };
}
