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
      serializers: { err: describeError },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[secret]" },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}

/** Deep enough for any chain of causes that says something; a chain that leads back to itself ends here. */
const maxCauses = 8;

/**
 * What a log line says of an error and of its causes. Only these fields: libraries hang whatever they were doing on
 * their errors, as ioredis does with the arguments of a refused command, be they a password or a customer's tags.
 */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  return {
    type: error.name,
    ...("code" in error && { code: error.code }),
    message: error.message,
    stack: error.stack,
    ...(error.cause !== undefined && depth < maxCauses && { cause: describeError(error.cause, depth + 1) }),
    ...(error instanceof AggregateError &&
      depth < maxCauses && { errors: error.errors.map((inner) => describeError(inner, depth + 1)) }),
  };
}
