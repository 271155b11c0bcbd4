import type { SandboxManifest } from "@castellan/contracts/sandbox";
import type { Run } from "../node-runtime.ts";
import type { DeletionCauseName } from "../state/records.ts";
import { liveRecord, readStartOrder } from "./messages.ts";
import type { SandboxParts } from "./node-sandboxes.ts";

export interface RecoveredExecution {
  readonly manifest: SandboxManifest;
  readonly daemonSecret: string;
  readonly generation: number;
  /** Of its end time, on the monotonic clock. */
  readonly deadline: number;
}

/**
 * Compares what still runs with what was written down. Returns the executions that go on as if nothing had happened;
 * of everything else nothing is left but a record of its deletion.
 */
export async function recoverExecutions(parts: SandboxParts): Promise<RecoveredExecution[]> {
  const { journal, manifests, runtime, logger } = parts;
  const { state } = journal;
  const kept = await manifests.readAll();
  const runs = await runtime.recover();

  const recovered: RecoveredExecution[] = [];
  /** Ids about which everything has been said. */
  const settled = new Set<string>();
  for (const run of runs) {
    const { manifest, daemonSecret = "" } = kept.get(run.executionId) ?? {};
    const phase = state.held(run.sandboxId).executions.get(run.executionId);
    if (manifest === undefined || phase === "starting" || state.refuses(run.executionId)) {
      await stopUnfinished(parts, run, phase === "starting" ? "start_failed" : "exited");
      settled.add(run.executionId);
      continue;
    }
    recovered.push({ ...(await takeOver(parts, manifest)), daemonSecret });
    settled.add(run.executionId);
  }

  for (const sandboxId of [...state.sandboxIds]) {
    for (const [executionId, phase] of state.held(sandboxId).executions) {
      if (settled.has(executionId)) continue;
      await recordEnd(parts, { sandboxId, executionId }, phase === "starting" ? "start_failed" : "exited");
      logger.info({ sandboxId, executionId }, "a sandbox ended while no process of the node ran");
    }
  }
  for (const [executionId, { manifest }] of kept) {
    if (settled.has(executionId)) continue;
    await recordEnd(parts, { sandboxId: manifest.sandboxId, executionId }, "exited");
    await manifests.remove(executionId);
  }
  return recovered;
}

async function stopUnfinished(parts: SandboxParts, run: Run, cause: DeletionCauseName): Promise<void> {
  const { sandboxId, executionId } = run;
  try {
    await parts.runtime.stop(executionId);
  } catch (error) {
    // It may still run, so nothing is said of it; the next start of the node tries again.
    parts.logger.error({ err: error, sandboxId, executionId }, "cannot stop what an earlier process left unfinished");
    return;
  }
  await recordEnd(parts, run, cause);
  await parts.manifests.remove(executionId);
  parts.logger.warn({ sandboxId, executionId, cause }, "stopped what an earlier process left unfinished");
}

async function takeOver(
  { journal, runtime, logger }: SandboxParts,
  manifest: SandboxManifest,
): Promise<Omit<RecoveredExecution, "daemonSecret">> {
  const { sandboxId, executionId, generation, seeds } = readStartOrder(manifest);
  if (!journal.state.held(sandboxId).executions.has(executionId)) {
    // The log was lost: the seeds are the best that is left, and the control plane pushes what is newer.
    await journal.record(
      { kind: "starting", sandboxId, executionId, generation },
      liveRecord({ sandboxId, executionId, epoch: journal.state.epoch }, seeds),
      { kind: "running", sandboxId, executionId },
    );
  }
  const { egress, endTime } = journal.state.held(sandboxId);
  // The earlier process may have been killed between setting rules and writing them down.
  await runtime.setEgress(executionId, egress.value).catch((error: unknown) => {
    logger.error({ err: error, sandboxId, executionId }, "cannot set the egress rules of an adopted sandbox");
  });
  const deadline =
    endTime.revision === 0 ? Number.POSITIVE_INFINITY : performance.now() + (endTime.value.dueAt - Date.now());
  return { manifest, generation, deadline };
}

/** Once per execution. */
async function recordEnd({ journal }: SandboxParts, { sandboxId, executionId }: Run, cause: DeletionCauseName) {
  if (journal.state.refuses(executionId)) return;
  const sequence = journal.state.takeSequence();
  await journal.record({ kind: "deleted", sandboxId, executionId, sequence, cause, at: Date.now() });
}
