import { startRedisServer } from "../testing/redis-server.ts";

/** A process to kill: starts a server, says its process id, and stays. */
const server = await startRedisServer();
console.log(server.pid);
setInterval(() => undefined, 60_000);
