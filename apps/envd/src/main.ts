// First: the modules below look for what it adds.
import "./base64.ts";

import { readConfig } from "./config.ts";
import { startDaemon } from "./daemon.ts";
import { both, KeptLog } from "./kept-log.ts";
import { jsonLines } from "./log.ts";
import { envdVersion } from "./version.ts";

const keptLog = new KeptLog();
const log = both(
  jsonLines((line) => process.stderr.write(line)),
  keptLog,
);

// Every sandbox pays for this process's memory: garbage is collected by the megabyte instead of by the sixteen.
process.getBuiltinModule("node:v8").setFlagsFromString("--semi-space-growth-factor=1");

// Whoever read the log may be gone, a restarted node for example. That is no reason to end.
process.stderr.on("error", () => {});

// One request that goes wrong must not take the sandbox's commands with it.
process.on("uncaughtException", (err) => log.error({ err }, "uncaught error"));
process.on("unhandledRejection", (err) => log.error({ err }, "unhandled rejection"));

// Files that clients make get the usual modes, whatever this process was started with.
process.umask(0o022);

const config = readConfig(process.env);
for (const name of Object.keys(process.env)) if (name.startsWith("CASTELLAN_")) delete process.env[name];

const daemon = await startDaemon(config, log, keptLog).catch((err: unknown) => {
  log.error({ err }, "cannot start");
  process.exit(1);
});
log.info({ port: daemon.port, version: envdVersion }, "listening");

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    void daemon.close().finally(() => process.exit(0));
  });
}
