export { type CastellanClient, type ClientOptions, createClient } from "./client.ts";
export { ApiError } from "./errors.ts";
export type { EventsOptions, SandboxEvent, SandboxEventType } from "./events.ts";
export type {
  HistoryOptions,
  MetadataChange,
  MetadataClient,
  MetadataHistory,
  MetadataState,
  PatchOptions,
  PatchResult,
} from "./metadata.ts";
