import type { SecuredHandlers } from "@castellan/rest";
import { type CreateDefaults, readNewSandbox } from "../create/new-sandbox.ts";
import { startSandbox } from "../create/start-sandbox.ts";
import type { Services } from "../services.ts";
import { presentSandbox } from "./presenting.ts";

/** As the contract's defaults say. */
const v1: CreateDefaults = { timeoutSeconds: 15, secure: "as asked" };
const v2: CreateDefaults = { timeoutSeconds: 300, secure: "always" };

export function createHandlers(services: Services): Pick<SecuredHandlers, "createSandbox" | "createSandboxV2"> {
  const { limits, domain } = services;
  return {
    async createSandbox({ body, signal }, caller) {
      const spec = readNewSandbox(body, v1, limits.maxTimeoutSeconds);
      return { status: 201, body: presentSandbox(await startSandbox(services, caller, spec, signal), domain) };
    },
    async createSandboxV2({ body, signal }, caller) {
      const spec = readNewSandbox(body, v2, limits.maxTimeoutSeconds);
      return { status: 201, body: presentSandbox(await startSandbox(services, caller, spec, signal), domain) };
    },
  };
}
