export { CastellanError, type ErrorCode, type ErrorDetails, hasCode } from "./errors.ts";
export {
  type EndCause,
  type EventId,
  endCauses,
  eventOfRemoval,
  eventOfTransition,
  type LifecycleChange,
  type LifecycleEvent,
  type LifecycleEventType,
  lifecycleEventTypes,
} from "./events.ts";
export { type FailpointName, type Failpoints, failpointNames } from "./failpoint.ts";
export { entryBytes, historyLimits, type MetadataChangeKind, type MetadataHistoryEntry } from "./history.ts";
export { editIdempotency, type Idempotency } from "./idempotency.ts";
export { newExecutionId, newOperationId, newSandboxId, parseSandboxId, sandboxNotFound } from "./ids.ts";
export { type Isolation, isIsolation, isolations } from "./isolation.ts";
export { parseJson } from "./json.ts";
export type { TeamLimits, TemplateLimits } from "./limits.ts";
export {
  applyMetadataDelta,
  checkMetadataLimits,
  type Metadata,
  type MetadataDelta,
  mergeMetadata,
  mergeOwnOver,
  metadataHash,
  metadataLimits,
  metadataToObject,
  parseMetadata,
  parseMetadataDelta,
  sameMetadata,
  tooManyBytes,
  tooManyKeys,
} from "./metadata.ts";
export {
  coversName,
  type EgressPolicy,
  everywhere,
  isAddressOrBlock,
  isDomainName,
  isNamePattern,
  parseEgressPolicy,
} from "./network.ts";
export {
  type FoundFields,
  type HeardNode,
  type LiveFields,
  notVerified,
  type OwnEdits,
  reachOf,
  type Taken,
  takeFound,
} from "./recovery.ts";
export { type Epoch, type Micros, nextEpoch, nextRevision, type Revision } from "./revision.ts";
export type {
  ApiKey,
  AppliedRevisions,
  LiveField,
  NodeRecord,
  NodeTemplate,
  SandboxIdentity,
  SandboxLifecycle,
  SandboxRecord,
  SandboxResources,
  Team,
} from "./sandbox.ts";
export {
  countsAsConcurrent,
  mayBecome,
  outlivesExecution,
  publicState,
  type SandboxState,
  stateConflict,
  transitionalStates,
} from "./state.ts";
export type { DeadLetter, Webhook, WebhookRetry } from "./webhooks.ts";
