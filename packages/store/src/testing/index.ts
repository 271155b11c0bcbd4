export { appendOnlyLength, cutAppendOnly } from "./append-only.ts";
export { freePort } from "./free-port.ts";
export { type RedisServer, type RedisServerOptions, startRedisServer } from "./redis-server.ts";
export { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
