import { randomBytes } from "node:crypto";
import {
  CastellanError,
  hasCode,
  isIsolation,
  newExecutionId,
  newSandboxId,
  type SandboxRecord,
} from "@castellan/domain";
import type { Caller } from "@castellan/rest";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Ending } from "../ending/ending.ts";
import { appliedOf, manifestOf } from "../nodes/messages.ts";
import type { Limits, Timing } from "../options.ts";
import type { StoreClock } from "../store-clock.ts";
import { checkResources } from "./limits.ts";
import type { SandboxSpec } from "./new-sandbox.ts";
import type { Place, Placement } from "./placement.ts";

export interface StartOptions {
  readonly store: SandboxStore;
  readonly clock: StoreClock;
  readonly placement: Placement;
  readonly ending: Ending;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly logger: Logger;
}

/**
 * Starts a new sandbox: the record first, then the node, then the answer. What fails on one node is tried on others,
 * under a new id each time, so that an attempt with an unknown outcome can never become a second execution of the sandbox
 * that the client is told about.
 *
 * @throws `not_found` for an unknown template, `quota_exceeded`, `unavailable`, `cancelled` when the client has gone.
 */
export async function startSandbox(
  options: StartOptions,
  caller: Caller,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<SandboxRecord> {
  const { placement, limits, timing } = options;
  const until = performance.now() + timing.createMs;
  const tried = new Set<string>();
  let failure: CastellanError | undefined;
  while (tried.size < limits.maxPlacements && performance.now() < until) {
    let place: Place;
    try {
      place = await placement.choose(spec, tried);
    } catch (error) {
      // The first failure says more than "no other node is left".
      throw failure ?? error;
    }
    tried.add(place.node.nodeId);
    const outcome = await startOn(options, caller, spec, place, signal);
    if (!(outcome instanceof CastellanError)) return outcome;
    failure = outcome;
    if (!hasCode(outcome, "unavailable") && !hasCode(outcome, "internal")) break;
  }
  throw failure ?? new CastellanError("unavailable", "The sandbox could not be started in time");
}

/** Answers the running record, or why this node did not do it; then nothing of the attempt stays. */
async function startOn(
  { store, clock, ending, timing, logger }: StartOptions,
  caller: Caller,
  spec: SandboxSpec,
  { node, template }: Place,
  signal: AbortSignal,
): Promise<SandboxRecord | CastellanError> {
  checkResources(template.resources, caller.team);
  const isolation = spec.isolation ?? node.record.isolation;
  const record = await store.create(
    {
      sandboxId: newSandboxId(),
      executionId: newExecutionId(),
      teamId: caller.teamId,
      apiKeyId: caller.apiKeyId,
      nodeId: node.nodeId,
      templateId: template.templateId,
      ...(template.templateId === spec.template ? {} : { templateAlias: spec.template }),
      resources: template.resources,
      lifecycle: spec.lifecycle,
      envdVersion: template.envdVersion,
      ...(spec.secure ? { envdAccessToken: newToken() } : {}),
      ...(spec.publicTraffic ? {} : { trafficAccessToken: newToken() }),
      envVars: spec.envVars,
      ...(spec.allowInternetAccess === undefined ? {} : { allowInternetAccess: spec.allowInternetAccess }),
      ...(isIsolation(isolation) ? { isolation } : {}),
      metadata: spec.metadata,
      egress: spec.egress,
      lifetimeMs: spec.lifetimeMs,
      // Past the end of this attempt: whoever finds the record then may take the attempt for lost.
      deadlineMs: timing.startMs + timing.callMs * 3,
      epoch: await store.epoch(),
    },
    caller.team.maxConcurrentSandboxes,
  );
  const { teamId, sandboxId, executionId, nodeId } = record;
  const ids = { teamId, sandboxId, executionId, nodeId, templateId: record.templateId };
  node.starts.begin();
  try {
    const started = await node.client.sandboxes.create(
      { epoch: BigInt(record.epoch), manifest: manifestOf(record, clock.now()) },
      { timeoutMs: timing.startMs },
    );
    const running = await store.transition({
      teamId,
      sandboxId,
      executionId,
      from: ["creating"],
      to: "running",
      confirmed: { bootId: started.bootId, applied: appliedOf(started.applied) },
    });
    // Nobody would ever learn the id of this one.
    if (signal.aborted) throw new CastellanError("cancelled", "The client went away");
    logger.info({ ...ids, apiKeyId: caller.apiKeyId }, "sandbox started");
    return running;
  } catch (error) {
    const failure = failureOf(error);
    if (failure.code !== "cancelled") logger.warn({ ...ids, err: error }, "a start failed");
    await cleanUp(ending, record, failure, logger);
    return failure;
  } finally {
    node.starts.end();
  }
}

/** Whatever became of the attempt: its node's promise ends it. A node that does not answer is asked again later. */
async function cleanUp(ending: Ending, record: SandboxRecord, failure: CastellanError, logger: Logger): Promise<void> {
  const { teamId, sandboxId, executionId } = record;
  try {
    await ending.kill(teamId, sandboxId, failure.code === "cancelled" ? "client_gone" : "start_failed");
  } catch (error) {
    if (!hasCode(error, "not_found"))
      logger.warn({ teamId, sandboxId, executionId, err: error }, "a failed start is not cleaned up yet");
  }
}

function failureOf(error: unknown): CastellanError {
  if (error instanceof CastellanError && error.code === "cancelled") return error;
  if (error instanceof CastellanError && error.code === "unavailable") return error;
  const cause = { cause: error };
  if (!(error instanceof ConnectError))
    return new CastellanError("internal", "The sandbox could not be started", cause);
  switch (error.code) {
    case Code.ResourceExhausted:
      return new CastellanError("unavailable", "Every node is full", { ...cause, retryAfterSeconds: 2 });
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.Aborted:
    case Code.FailedPrecondition:
    case Code.Canceled:
      return new CastellanError("unavailable", "No node could start the sandbox in time", {
        ...cause,
        retryAfterSeconds: 2,
      });
    default:
      return new CastellanError("internal", "The sandbox could not be started", cause);
  }
}

/** 192 random bits, URL-safe. */
function newToken(): string {
  return randomBytes(24).toString("hex");
}
