import { createHash } from "node:crypto";
import type { SandboxStore } from "@castellan/store";
import { apiKeyKind, clusterTokenKind, keepSecret } from "./secret-file.ts";

export interface Secrets {
  readonly apiKey: string;
  readonly clusterToken: string;
}

const defaultTeam = "default";

/** The installation's secrets, made at the first start. */
export async function keepSecrets(files: {
  readonly apiKeyFile: string;
  readonly clusterTokenFile: string;
}): Promise<Secrets> {
  const apiKey = await keepSecret(files.apiKeyFile, apiKeyKind);
  const clusterToken = await keepSecret(files.clusterTokenFile, clusterTokenKind);
  return { apiKey: apiKey.secret, clusterToken: clusterToken.secret };
}

/**
 * Makes sure that the store has the team `default` and knows its API key, by the key's SHA-256. Done at every start:
 * a store that was emptied gets both back.
 */
export async function bootstrapStore(store: SandboxStore, apiKey: string, maxSandboxes: number): Promise<void> {
  await store.putTeam({ teamId: defaultTeam, name: defaultTeam, maxConcurrentSandboxes: maxSandboxes });
  const keyHash = createHash("sha256").update(apiKey).digest("hex");
  // An id that follows from the key: edits by an earlier key stay that key's in the history.
  const apiKeyId = `key-${keyHash.slice(0, 12)}`;
  await store.putApiKey({ apiKeyId, teamId: defaultTeam, name: "bootstrap" }, keyHash);
}
