import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";

/** What an edge in a process of its own is told by its environment. */
export interface Settings {
  /** `REDIS_URL`, required: the store that the control plane uses. */
  readonly redisUrl: string;
  /** Address to listen on; `CASTELLAN_PROXY_HOST`, 127.0.0.1. */
  readonly host: string;
  /** `CASTELLAN_PROXY_PORT`, 3080; 0 takes a free one. */
  readonly port: number;
  /** Sandboxes' host names end with it, as with the control plane; `CASTELLAN_DOMAIN`, `localhost:<port>`. */
  readonly domain: string;
  /** The content of `CASTELLAN_TOKEN_FILE`, `<CASTELLAN_DATA>/cluster-token`, /var/lib/castellan/cluster-token. */
  readonly clusterToken: string;
}

/** @throws `invalid_argument` with a message that names the variable. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  const redisUrl = env["REDIS_URL"] ?? "";
  if (!/^rediss?:\/\/./.test(redisUrl)) throw refused("REDIS_URL must be a redis:// or rediss:// URL");
  const port = portFrom(env["CASTELLAN_PROXY_PORT"] || "3080");
  return {
    redisUrl,
    host: env["CASTELLAN_PROXY_HOST"] || "127.0.0.1",
    port,
    domain: env["CASTELLAN_DOMAIN"] || `localhost:${port}`,
    clusterToken: tokenIn(
      env["CASTELLAN_TOKEN_FILE"] || join(env["CASTELLAN_DATA"] || "/var/lib/castellan", "cluster-token"),
    ),
  };
}

function portFrom(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw refused("CASTELLAN_PROXY_PORT must be a whole number from 0 to 65535");
}

function tokenIn(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw refused(`The cluster's token cannot be read from ${path}; name its file with CASTELLAN_TOKEN_FILE`, cause);
  }
  if (token === "") throw refused(`The cluster's token in ${path} is empty`);
  return token;
}

function refused(message: string, cause?: unknown): CastellanError {
  return new CastellanError("invalid_argument", message, { cause });
}
