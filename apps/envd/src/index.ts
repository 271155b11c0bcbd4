export { type DaemonConfig, envdPort, readConfig } from "./config.ts";
export { type Daemon, startDaemon } from "./daemon.ts";
export { jsonLines, type Log } from "./log.ts";
export { envdVersion } from "./version.ts";
