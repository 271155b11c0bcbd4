export { clusterName } from "./cluster-name.ts";
export { openStore } from "./open.ts";
export type { StoreLogger, StoreOptions } from "./options.ts";
export { openRedisStore } from "./redis/redis-store.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./sqlite/sqlite-store.ts";
export type * from "./store.ts";
