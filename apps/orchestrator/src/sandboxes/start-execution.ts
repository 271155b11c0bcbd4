import { randomBytes } from "node:crypto";
import { CastellanError, type Epoch, isIsolation } from "@castellan/domain";
import { daemonPort } from "../daemon/call.ts";
import { initializeDaemon } from "../daemon/initialize-daemon.ts";
import { daemonEnvironment } from "../daemon/secrets.ts";
import type { Execution } from "./execution.ts";
import { type IncomingFields, liveRecord, type StartOrder } from "./messages.ts";
import type { SandboxParts } from "./node-sandboxes.ts";
import type { Serial } from "./serial.ts";

/**
 * Starts an execution up to the point where it may be seen: seeded, its daemon set up, all of it on record. Until then
 * a failure leaves cleaning up to the caller.
 * @throws the reason of `execution.startAbort` on abort; else what went wrong.
 */
export async function startExecution(
  parts: SandboxParts,
  serial: Serial,
  execution: Execution,
  { epoch, order }: { readonly epoch: Epoch; readonly order: StartOrder },
): Promise<void> {
  const { journal, manifests, runtime, templates, timing } = parts;
  const { sandboxId, executionId, manifest, generation } = execution;
  const { signal } = execution.startAbort;
  const timer = setTimeout(() => {
    const message = `The sandbox did not start within ${timing.startMs / 1000} seconds`;
    execution.startAbort.abort(new CastellanError("deadline_exceeded", message));
  }, timing.startMs);
  const began = performance.now();
  try {
    const rootfs = await templates.rootfs(manifest.templateId);
    const secret = randomBytes(32).toString("hex");
    execution.daemonSecret = secret;
    await manifests.write({ manifest, daemonSecret: secret });
    signal.throwIfAborted();
    await journal.record(
      { kind: "starting", sandboxId, executionId, generation },
      liveRecord({ sandboxId, executionId, epoch }, order.seeds),
    );
    // Not simply the seeds: the higher of cache and seed.
    const seededEgress = journal.state.held(sandboxId).egress;
    signal.throwIfAborted();
    await runtime.start(
      {
        sandboxId,
        executionId,
        rootfs,
        resources: order.resources,
        hostname: sandboxId,
        egress: seededEgress.value,
        // The rules say it themselves, and may have been replaced since the sandbox was created.
        allowInternet: true,
        ...(isIsolation(manifest.isolation) ? { isolation: manifest.isolation } : {}),
        env: daemonEnvironment(secret),
      },
      signal,
    );
    const ranAfter = performance.now();
    await initializeDaemon(
      (attempt) => runtime.connect(executionId, daemonPort, attempt),
      {
        secret,
        envVars: {
          ...manifest.envVars,
          E2B_SANDBOX: "true",
          E2B_SANDBOX_ID: sandboxId,
          E2B_TEMPLATE_ID: manifest.templateId,
        },
        ...(manifest.envdAccessToken === "" ? {} : { accessToken: manifest.envdAccessToken }),
      },
      signal,
    );
    await serial.run(sandboxId, async () => {
      const { egress } = journal.state.held(sandboxId);
      if (egress.revision !== seededEgress.revision) {
        // An edit of an older execution of the same sandbox came in between.
        await runtime.setEgress(executionId, egress.value);
      }
      signal.throwIfAborted();
      if (journal.isStale(epoch)) {
        // A new incarnation of the store may have listed this node already: nothing from before may turn up now.
        throw new CastellanError("precondition_failed", "The store has a new epoch since the start was asked for");
      }
      await journal.record({ kind: "running", sandboxId, executionId });
      signal.throwIfAborted();
      execution.phase = "running";
      execution.deadline = deadlineOf(parts, execution, order.seeds);
    });
    execution.logger.info(
      {
        generation,
        templateId: manifest.templateId,
        runMs: Math.round(ranAfter - began),
        totalMs: Math.round(performance.now() - began),
      },
      "sandbox started",
    );
  } catch (error) {
    throw CastellanError.from(signal.aborted ? signal.reason : error, "The sandbox could not be started");
  } finally {
    clearTimeout(timer);
  }
}

/** The seed's own moment where it is what the node holds: the clock that people set does not come into it then. */
function deadlineOf({ journal }: SandboxParts, { sandboxId }: Execution, seeds: IncomingFields): number {
  const { endTime } = journal.state.held(sandboxId);
  if (endTime.revision === 0) return Number.POSITIVE_INFINITY;
  if (seeds.endTime?.revision === endTime.revision) return seeds.endTime.value.deadline;
  return performance.now() + (endTime.value.dueAt - Date.now());
}
