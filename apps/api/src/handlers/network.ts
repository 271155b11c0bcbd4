import type { components } from "@castellan/contracts/openapi";
import { type EgressPolicy, newOperationId, parseEgressPolicy, parseSandboxId } from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import { refuseUnsupportedNetwork } from "../create/new-sandbox.ts";
import type { Services } from "../services.ts";

/**
 * Replacing what a sandbox may reach. 204 says that its node goes by the new rules; a caller that closes something must
 * know when it is not closed yet, so anything less is 202.
 */
export function networkHandlers({ store, pusher, timing }: Services): Pick<SecuredHandlers, "updateSandboxNetwork"> {
  return {
    async updateSandboxNetwork({ params, body }, { teamId, apiKeyId }) {
      const sandboxId = parseSandboxId(params.sandboxID);
      const policy = readNetworkUpdate(body);
      const epoch = await store.epoch();
      const { record } = await store.editEgress({
        teamId,
        apiKeyId,
        sandboxId,
        policy,
        operationId: newOperationId(),
        epoch,
      });
      const { confirmed, applied } = await pusher.confirm(record, "egress", epoch, timing.confirmMs);
      if (confirmed) return { status: 204 };
      return { status: 202, body: { revision: record.egress.revision, appliedRevision: applied } };
    },
  };
}

/** The whole policy: what is left out is cleared. @throws `invalid_argument` */
function readNetworkUpdate(body: components["schemas"]["NetworkUpdate"]): EgressPolicy {
  refuseUnsupportedNetwork(body, "");
  return parseEgressPolicy(body.allowOut ?? [], body.denyOut ?? [], body.allow_internet_access);
}
