import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CastellanError, isAddressOrBlock } from "@castellan/domain";

/** What a control plane in a process of its own is told by its environment. */
export interface Settings {
  /** `REDIS_URL`; without it the SQLite file of the data directory, which one process at a time can have open. */
  readonly storeUrl: string;
  /** Address that the API is served on; `CASTELLAN_HOST`, 127.0.0.1. */
  readonly host: string;
  /** `CASTELLAN_PORT`, 3000; 0 takes a free one. */
  readonly port: number;
  /** Address that nodes register at; `CASTELLAN_REGISTRY_HOST`, 127.0.0.1. */
  readonly registryHost: string;
  /** `CASTELLAN_REGISTRY_PORT`, 3001; 0 takes a free one. */
  readonly registryPort: number;
  /** Sandboxes' host names end with it, as with the proxy; `CASTELLAN_DOMAIN`, `localhost:<port>`. */
  readonly domain: string;
  /** The content of `CASTELLAN_TOKEN_FILE`, `<CASTELLAN_DATA>/cluster-token`, /var/lib/castellan/cluster-token. */
  readonly clusterToken: string;
  /** Private blocks that webhooks may lead to, comma-separated CIDR; `CASTELLAN_WEBHOOK_ALLOW`, none. */
  readonly webhookAllow: readonly string[];
}

/** @throws `invalid_argument` with a message that names the variable. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  const data = env["CASTELLAN_DATA"] || "/var/lib/castellan";
  const redisUrl = env["REDIS_URL"] || undefined;
  if (redisUrl !== undefined && !/^rediss?:\/\/./.test(redisUrl)) {
    throw refused("REDIS_URL must be a redis:// or rediss:// URL");
  }
  const port = portFrom(env, "CASTELLAN_PORT", "3000");
  return {
    storeUrl: redisUrl ?? `sqlite:${join(data, "castellan.db")}`,
    host: env["CASTELLAN_HOST"] || "127.0.0.1",
    port,
    registryHost: env["CASTELLAN_REGISTRY_HOST"] || "127.0.0.1",
    registryPort: portFrom(env, "CASTELLAN_REGISTRY_PORT", "3001"),
    domain: env["CASTELLAN_DOMAIN"] || `localhost:${port}`,
    clusterToken: tokenIn(env["CASTELLAN_TOKEN_FILE"] || join(data, "cluster-token")),
    webhookAllow: blocksFrom(env["CASTELLAN_WEBHOOK_ALLOW"]),
  };
}

function portFrom(env: Readonly<Record<string, string | undefined>>, name: string, fallback: string): number {
  const text = env[name] || fallback;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw refused(`${name} must be a whole number from 0 to 65535`);
}

function blocksFrom(text = ""): string[] {
  const blocks = text.split(",").flatMap((part) => part.trim() || []);
  if (blocks.every(isAddressOrBlock)) return blocks;
  throw refused("CASTELLAN_WEBHOOK_ALLOW must be addresses or blocks such as 10.0.0.0/8, separated by commas");
}

function tokenIn(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw refused(`The cluster's token cannot be read from ${path}; name its file with CASTELLAN_TOKEN_FILE`, cause);
  }
}

function refused(message: string, cause?: unknown): CastellanError {
  return new CastellanError("invalid_argument", message, { cause });
}
