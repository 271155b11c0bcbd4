export { composeNode, type NodeComposition } from "./compose-node.ts";
export type { NodeRuntime, Run, RunExit, RunSpec } from "./node-runtime.ts";
export type { CapacityOptions, ListenAddress, OrchestratorOptions, Timing } from "./options.ts";
export { createOrchestrator, type NodeAddresses, type Orchestrator } from "./orchestrator.ts";
export type { TemplateSource } from "./template-source.ts";
