import { createHash } from "node:crypto";
import type { SandboxStore } from "@castellan/store";
import { type ConfiguredLimits, defaultTeam } from "./limits-file.ts";
import { apiKeyKind, clusterTokenKind, keepSecret } from "./secret-file.ts";

export interface Secrets {
  readonly apiKey: string;
  readonly clusterToken: string;
}

/** Concurrent sandboxes of a team of which nothing else is said. */
const defaultConcurrent = 100;

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
 * Makes sure that the store has the teams with their limits, and knows the API key of the team `default` and the keys that
 * the limits file names, by their SHA-256. Done at every start: a store that was emptied gets them back.
 * @param maxSandboxes of the team `default`; absent: what the file says, or 100.
 */
export async function bootstrapStore(
  store: SandboxStore,
  apiKey: string,
  { teams }: Pick<ConfiguredLimits, "teams">,
  maxSandboxes?: number,
): Promise<void> {
  for (const { teamId, maxConcurrentSandboxes = defaultConcurrent, limits, apiKeys } of teams) {
    const most = teamId === defaultTeam ? (maxSandboxes ?? maxConcurrentSandboxes) : maxConcurrentSandboxes;
    await store.putTeam({ teamId, name: teamId, maxConcurrentSandboxes: most, limits });
    for (const [name, hash] of Object.entries(apiKeys)) {
      await store.putApiKey({ apiKeyId: idOf(hash), teamId, name }, hash);
    }
  }
  const keyHash = createHash("sha256").update(apiKey).digest("hex");
  await store.putApiKey({ apiKeyId: idOf(keyHash), teamId: defaultTeam, name: "bootstrap" }, keyHash);
}

/** An id that follows from the key: edits by an earlier key stay that key's in the history. */
function idOf(keyHash: string): string {
  return `key-${keyHash.slice(0, 12)}`;
}
