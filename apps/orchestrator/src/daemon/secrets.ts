import { createHash, createHmac } from "node:crypto";

/**
 * What a daemon is started with: the hashes of the secrets that its node will show. Whoever is root inside a sandbox can
 * listen in the daemon's place, so the secret that is shown again and again opens nothing but the log.
 */
export function daemonEnvironment(secret: string): Readonly<Record<string, string>> {
  return {
    CASTELLAN_INIT_SHA256: sha256(secret),
    CASTELLAN_LOGS_SHA256: sha256(logsSecret(secret)),
  };
}

/** For reading the daemon's log. The control secret does not follow from it. */
export function logsSecret(secret: string): string {
  return createHmac("sha256", secret).update("logs").digest("hex");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
