import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/** Field names that never reach a log line, wherever they stand in the logged object. */
const secrets = ["token", "apiKey", "envdAccessToken", "trafficAccessToken", "authorization", "initToken", "envVars"];

/**
 * A logger that writes one JSON line per event to standard error, which keeps standard output for what a person asked
 * to see. `level` defaults to `CASTELLAN_LOG`, else `info`; `silent` turns it off.
 */
export function createLogger(service: string, level: string = process.env["CASTELLAN_LOG"] ?? "info"): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[secret]" },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}
