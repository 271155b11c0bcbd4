import { parseSandboxId, publicState, type SandboxRecord, sandboxNotFound } from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import type { SandboxStore } from "@castellan/store";
import type { Services } from "../services.ts";
import { presentDetail } from "./presenting.ts";

export function sandboxHandlers({
  store,
  ending,
  domain,
}: Services): Pick<SecuredHandlers, "getSandbox" | "killSandbox"> {
  return {
    async getSandbox({ params }, caller) {
      return { status: 200, body: presentDetail(await findSandbox(store, caller.teamId, params.sandboxID), domain) };
    },
    async killSandbox({ params }, caller) {
      await ending.kill(caller.teamId, parseSandboxId(params.sandboxID), "requested", caller.apiKeyId);
      return { status: 204 };
    },
  };
}

/** @throws `not_found`, also for what is being started or killed. */
export async function findSandbox(store: SandboxStore, teamId: string, id: string): Promise<SandboxRecord> {
  const sandboxId = parseSandboxId(id);
  const record = await store.get(teamId, sandboxId);
  if (record === undefined || publicState(record.state) === undefined) throw sandboxNotFound(sandboxId);
  return record;
}
