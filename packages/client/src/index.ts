export { type CastellanClient, type ClientOptions, createClient } from "./client.ts";
export { ApiError } from "./errors.ts";
export type { MetadataClient, MetadataState, PatchOptions, PatchResult } from "./metadata.ts";
