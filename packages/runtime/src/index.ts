export type { RuntimeLogger } from "./logger.ts";
export { hostNameservers } from "./network/nameservers.ts";
export { createSandboxRuntime } from "./oci-runtime.ts";
export type { Check } from "./probe/check.ts";
export { type ProbeOptions, probeHost } from "./probe/probe-host.ts";
export type {
  Execution,
  ExecutionExit,
  ExecutionResources,
  ExecutionSpec,
  ExecutionUsage,
  RuntimeOptions,
  SandboxRuntime,
} from "./sandbox-runtime.ts";
