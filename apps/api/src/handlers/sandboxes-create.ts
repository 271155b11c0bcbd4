import type { Caller, SecuredHandlers } from "@castellan/rest";
import { maxTimeoutOf, templateLimitsOf } from "../create/limits.ts";
import { type CreateDefaults, type NewSandboxBody, readNewSandbox } from "../create/new-sandbox.ts";
import { startSandbox } from "../create/start-sandbox.ts";
import type { Services } from "../services.ts";
import { presentSandbox } from "./presenting.ts";

/** As the contract's defaults say. */
const v1: CreateDefaults = { timeoutSeconds: 15, secure: "as asked" };
const v2: CreateDefaults = { timeoutSeconds: 300, secure: "always" };

export function createHandlers(services: Services): Pick<SecuredHandlers, "createSandbox" | "createSandboxV2"> {
  const { limits, templateLimits, directory, domain } = services;
  return {
    async createSandbox({ body, signal }, caller) {
      const spec = read(body, v1, caller);
      return { status: 201, body: presentSandbox(await startSandbox(services, caller, spec, signal), domain) };
    },
    async createSandboxV2({ body, signal }, caller) {
      const spec = read(body, v2, caller);
      return { status: 201, body: presentSandbox(await startSandbox(services, caller, spec, signal), domain) };
    },
  };

  function read(body: NewSandboxBody, route: CreateDefaults, { team }: Caller) {
    const template = templateLimitsOf(templateLimits, directory.templateNames(body.templateID));
    const timeoutSeconds = template?.defaultTimeoutSeconds ?? route.timeoutSeconds;
    const most = maxTimeoutOf({ service: limits, team, ...(template && { template }) });
    // A default above what the team may have is no reason to refuse a request that asks for nothing.
    return readNewSandbox(body, { ...route, timeoutSeconds: Math.min(timeoutSeconds, most) }, most);
  }
}
