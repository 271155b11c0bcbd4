import { newOperationId, parseSandboxId, type SandboxRecord } from "@castellan/domain";
import type { Caller, SecuredHandlers } from "@castellan/rest";
import type { EndTimeEdit } from "@castellan/store";
import { checkMaxTimeout } from "../create/new-sandbox.ts";
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
  { store, pusher, limits, timing }: Services,
  caller: Caller,
  id: string,
  seconds: number,
  mode: EndTimeEdit["mode"],
): Promise<SandboxRecord> {
  const sandboxId = parseSandboxId(id);
  const lifetimeMs = checkMaxTimeout(seconds, limits.maxTimeoutSeconds) * 1000;
  const epoch = await store.epoch();
  const { record } = await store.editEndTime({
    teamId: caller.teamId,
    sandboxId,
    lifetimeMs,
    mode,
    operationId: newOperationId(),
    epoch,
  });
  await pusher.confirm(record, "endTime", epoch, timing.confirmMs);
  return record;
}
