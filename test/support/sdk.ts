import type { Stack } from "./stack.ts";

/** What a user would export; the SDK takes the same as options. */
export function connectionOptions(stack: Stack): { apiKey: string; apiUrl: string; sandboxUrl: string } {
  return { apiKey: stack.apiKey, apiUrl: stack.apiUrl, sandboxUrl: stack.sandboxUrl };
}
