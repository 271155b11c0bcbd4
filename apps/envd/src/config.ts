/** How a daemon is set up, once, by whoever starts it. */
export interface DaemonConfig {
  /** Address and TCP port to listen on. Port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** SHA-256 of the secret that `POST /init` must carry. Absent: `/init` is refused. */
  readonly initSecretHash: Buffer | undefined;
  /** The same of the secret that `GET /logs` must carry. */
  readonly logsSecretHash: Buffer | undefined;
  /** The account files, in the format of passwd(5) and group(5). */
  readonly passwdFile: string;
  readonly groupFile: string;
  /** PATH of commands, unless the sandbox's or the request's variables say otherwise. */
  readonly path: string;
}

const variables = {
  host: "CASTELLAN_ENVD_HOST",
  port: "CASTELLAN_ENVD_PORT",
  initSecretHash: "CASTELLAN_INIT_SHA256",
  logsSecretHash: "CASTELLAN_LOGS_SHA256",
  etc: "CASTELLAN_ENVD_ETC",
};

/** Port that clients expect the daemon on, inside the sandbox. */
export const envdPort = 49983;

const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Reads the set-up from environment variables:
 * `CASTELLAN_ENVD_PORT` (default 49983), `CASTELLAN_ENVD_HOST` (0.0.0.0), `CASTELLAN_INIT_SHA256` and
 * `CASTELLAN_LOGS_SHA256` (64 hexadecimal digits), `CASTELLAN_ENVD_ETC` (/etc, where passwd and group are) and `PATH`.
 *
 * @throws Error naming the variable, when one is malformed.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): DaemonConfig {
  const etc = environment[variables.etc] || "/etc";
  return {
    host: environment[variables.host] || "0.0.0.0",
    port: readPort(environment[variables.port]),
    initSecretHash: readHash(environment, variables.initSecretHash),
    logsSecretHash: readHash(environment, variables.logsSecretHash),
    passwdFile: `${etc}/passwd`,
    groupFile: `${etc}/group`,
    path: environment["PATH"] || standardPath,
  };
}

function readPort(text: string | undefined): number {
  if (!text) return envdPort;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65535) throw new Error(`${variables.port} must be a TCP port, got "${text}"`);
  return port;
}

function readHash(environment: Readonly<Record<string, string | undefined>>, variable: string): Buffer | undefined {
  const text = environment[variable];
  if (!text) return undefined;
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Error(`${variable} must be 64 hexadecimal digits`);
  return Buffer.from(text, "hex");
}
