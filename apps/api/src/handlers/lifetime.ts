import { newOperationId, parseSandboxId, type SandboxRecord, type TemplateLimits } from "@castellan/domain";
import type { Caller, SecuredHandlers } from "@castellan/rest";
import type { EndTimeEdit } from "@castellan/store";
import { checkMaxTimeout, maxTimeoutOf, templateLimitsOf } from "../create/limits.ts";
import type { Services } from "../services.ts";

/** As the contract's default says, in seconds. */
const defaultRefresh = 15;

export function lifetimeHandlers(services: Services): Pick<SecuredHandlers, "setSandboxTimeout" | "refreshSandbox"> {
  return {
    async setSandboxTimeout({ params, body }, caller) {
      await editLifetime(services, caller, params.sandboxID, body.timeout, "set");
      return { status: 204 };
    },
    async refreshSandbox({ params, body }, caller) {
      await editLifetime(services, caller, params.sandboxID, body?.duration ?? defaultRefresh, "extend");
      return { status: 204 };
    },
  };
}

/**
 * Commits a new end of the sandbox's life and tells its node. The store alone decides when a life is over while this
 * service runs, so a node that has not confirmed in time does not fail the request.
 */
export async function editLifetime(
  services: Services,
  caller: Caller,
  id: string,
  seconds: number,
  mode: EndTimeEdit["mode"],
): Promise<SandboxRecord> {
  const { store, pusher, limits, timing } = services;
  const sandboxId = parseSandboxId(id);
  const template = await templateOf(services, caller, sandboxId);
  const most = maxTimeoutOf({ service: limits, team: caller.team, ...(template && { template }) });
  const lifetimeMs = checkMaxTimeout(seconds, most) * 1000;
  const epoch = await store.epoch();
  const { record } = await store.editEndTime({
    teamId: caller.teamId,
    sandboxId,
    lifetimeMs,
    mode,
    operationId: newOperationId(),
    epoch,
    apiKeyId: caller.apiKeyId,
  });
  await pusher.confirm(record, "endTime", epoch, timing.confirmMs);
  return record;
}

/** What is said about the sandbox's template; the record is asked for only where anything is said about any. */
async function templateOf(
  { store, directory, templateLimits }: Services,
  { teamId }: Caller,
  sandboxId: string,
): Promise<TemplateLimits | undefined> {
  if (Object.keys(templateLimits).length === 0) return undefined;
  const record = await store.get(teamId, sandboxId);
  return record && templateLimitsOf(templateLimits, directory.templateNames(record.templateId));
}
