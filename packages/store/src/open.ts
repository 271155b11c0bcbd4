import { CastellanError } from "@castellan/domain";
import type { StoreOptions } from "./options.ts";
import { openRedisStore } from "./redis/redis-store.ts";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";
import type { SandboxStore } from "./store.ts";

/**
 * Opens the store that `url` names: `redis://…` and `rediss://…`, or `sqlite:<path>`, or the path of a SQLite file.
 * @throws `invalid_argument` for any other scheme; `unavailable` when it does not answer or is taken; `internal` when it
 * is one that cannot be used (the message says why).
 */
export function openStore(url: string, options: StoreOptions): Promise<SandboxStore> {
  if (/^rediss?:\/\//.test(url)) return openRedisStore(url, options);
  const path = url.startsWith("sqlite:") ? url.slice("sqlite:".length) : url;
  if (path === "" || /^[a-z][a-z0-9+.-]+:/i.test(path)) {
    const known = "redis://…, rediss://…, sqlite:<path> or a path";
    return Promise.reject(new CastellanError("invalid_argument", `The store is named by ${known}`));
  }
  return openSqliteStore(path, options);
}
