export type { RuntimeLogger } from "./logger.ts";
export { createRuncRuntime } from "./runc-runtime.ts";
export type {
  Execution,
  ExecutionExit,
  ExecutionResources,
  ExecutionSpec,
  RuntimeOptions,
  SandboxRuntime,
} from "./sandbox-runtime.ts";
