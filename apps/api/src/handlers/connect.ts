import type { SecuredHandlers } from "@castellan/rest";
import type { Services } from "../services.ts";
import { editLifetime } from "./lifetime.ts";
import { presentSandbox } from "./presenting.ts";

/** As the contract's default says, in seconds. */
const defaultTimeout = 300;

/** Connecting to a running sandbox extends its life and never shortens it. */
export function connectHandlers(services: Services): Pick<SecuredHandlers, "connectSandbox" | "connectSandboxV2"> {
  const { domain } = services;
  return {
    async connectSandbox({ params, body }, caller) {
      const record = await editLifetime(services, caller, params.sandboxID, body.timeout, "extend");
      return { status: 200, body: presentSandbox(record, domain) };
    },
    async connectSandboxV2({ params, body }, caller) {
      const timeout = body?.timeout ?? defaultTimeout;
      const record = await editLifetime(services, caller, params.sandboxID, timeout, "extend");
      return { status: 200, body: presentSandbox(record, domain) };
    },
  };
}
