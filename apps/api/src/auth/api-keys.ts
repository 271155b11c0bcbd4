import { createHash } from "node:crypto";
import { CastellanError } from "@castellan/domain";
import type { Caller } from "@castellan/rest";
import type { SandboxStore } from "@castellan/store";

/** How long a key that was good is taken as good without asking the store, in milliseconds. */
const trustMs = 5_000;
const maxCached = 1_000;

/**
 * Finds out who has a key. Good answers are kept for a few seconds, so that a revoked key stops working within that time;
 * bad ones are never kept.
 */
export function createAuthenticator(store: SandboxStore): (apiKey: string | undefined) => Promise<Caller> {
  const known = new Map<string, { readonly caller: Caller; readonly until: number }>();

  return async (apiKey) => {
    if (apiKey === undefined) throw new CastellanError("unauthenticated", "The X-API-Key header is missing");
    if (!/^e2b_[0-9a-f]{1,256}$/.test(apiKey)) throw new CastellanError("unauthenticated", "Invalid API key format");

    const hash = createHash("sha256").update(apiKey).digest("hex");
    const cached = known.get(hash);
    if (cached !== undefined && cached.until > performance.now()) return cached.caller;
    known.delete(hash);

    const found = await store.findApiKey(hash);
    if (found === undefined) throw new CastellanError("unauthenticated", "Cannot get the team for the given API key");
    const caller = { teamId: found.team.teamId, apiKeyId: found.key.apiKeyId, team: found.team };
    if (known.size >= maxCached) evictOldest(known);
    known.set(hash, { caller, until: performance.now() + trustMs });
    return caller;
  };
}

function evictOldest(map: Map<string, unknown>): void {
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
