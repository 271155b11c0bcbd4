import { isIP } from "node:net";
import { isAbsolute, join, resolve } from "node:path";
import { type Isolation, isAddressOrBlock, isIsolation } from "@castellan/domain";
import { Failure } from "./failure.ts";

/**
 * Everything that can be set, in one place: a flag wins over its environment variable, which wins over the default. Each
 * function reads the flags as commander parsed them (strings) and the environment, and refuses what makes no sense with
 * a Failure that names where the value came from.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What sandboxes may have between them and the machine. */
export interface IsolationSettings {
  /** The default first; `--isolation` (comma-separated), CASTELLAN_ISOLATION, runc. */
  readonly isolations: readonly Isolation[];
  /** gVisor's runsc; CASTELLAN_RUNSC; absent: the one that set-up fetched. */
  readonly runsc: string | undefined;
}

export interface UpFlags {
  readonly port?: string;
  readonly host?: string;
  readonly data?: string;
  readonly nodes?: string;
  readonly keep?: boolean;
  readonly domain?: string;
  readonly registryHost?: string;
  readonly registryPort?: string;
  readonly maxSandboxes?: string;
  readonly limits?: string;
  readonly memoryOvercommit?: string;
  readonly isolation?: string;
  readonly webhookAllow?: string;
}

export interface UpSettings extends IsolationSettings {
  /** Absolute path; `--data`, CASTELLAN_DATA, /var/lib/castellan. */
  readonly dataDirectory: string;
  /** Address that the API and sandbox traffic are served on; `--host`, CASTELLAN_HOST, 127.0.0.1. */
  readonly host: string;
  /** `--port`, CASTELLAN_PORT, 3000. */
  readonly port: number;
  /** Where nodes register; `--registry-host`, CASTELLAN_REGISTRY_HOST, 127.0.0.1. */
  readonly registryHost: string;
  /** `--registry-port`, CASTELLAN_REGISTRY_PORT; absent: the port after `port`, or another free one. */
  readonly registryPort: number | undefined;
  /** Nodes on this machine, 1 to 16; `--nodes`, CASTELLAN_NODES, 1. */
  readonly nodes: number;
  /** Leave sandboxes running at Ctrl-C; `--keep`. */
  readonly keep: boolean;
  /** Sandboxes' host names end with it; `--domain`, CASTELLAN_DOMAIN, `localhost:<port>`. */
  readonly domain: string;
  /** Concurrent sandboxes of the team `default`; `--max-sandboxes`, CASTELLAN_MAX_SANDBOXES; absent: the limits file's. */
  readonly maxSandboxes: number | undefined;
  /** `--limits`, CASTELLAN_LIMITS; absent: `limits.json` of the data directory, if there is one. */
  readonly limitsFile: string | undefined;
  /** Of each node; `--memory-overcommit`, CASTELLAN_MEMORY_OVERCOMMIT, 16. */
  readonly memoryOvercommit: number;
  /** REDIS_URL; absent: SQLite in the data directory. */
  readonly redisUrl: string | undefined;
  /** Private blocks that webhooks may lead to; `--webhook-allow`, CASTELLAN_WEBHOOK_ALLOW; none. */
  readonly webhookAllow: readonly string[];
}

export function upSettings(flags: UpFlags, env: Environment): UpSettings {
  const port = pick(flags.port, "--port", env, "CASTELLAN_PORT", wholeNumber(1, 65_535), 3000);
  return {
    dataDirectory: dataDirectoryPath(flags.data, env),
    host: pick(flags.host, "--host", env, "CASTELLAN_HOST", listenHost, "127.0.0.1"),
    port,
    registryHost: pick(flags.registryHost, "--registry-host", env, "CASTELLAN_REGISTRY_HOST", listenHost, "127.0.0.1"),
    registryPort: pick(
      flags.registryPort,
      "--registry-port",
      env,
      "CASTELLAN_REGISTRY_PORT",
      wholeNumber(1, 65_535),
      undefined,
    ),
    nodes: pick(flags.nodes, "--nodes", env, "CASTELLAN_NODES", wholeNumber(1, 16), 1),
    keep: flags.keep ?? false,
    domain: pick(flags.domain, "--domain", env, "CASTELLAN_DOMAIN", domain, `localhost:${port}`),
    maxSandboxes: pick(
      flags.maxSandboxes,
      "--max-sandboxes",
      env,
      "CASTELLAN_MAX_SANDBOXES",
      wholeNumber(1, 1_000_000),
      undefined,
    ),
    limitsFile: pick(flags.limits, "--limits", env, "CASTELLAN_LIMITS", path, undefined),
    memoryOvercommit: memoryOvercommit(flags.memoryOvercommit, env),
    redisUrl: pick(undefined, "", env, "REDIS_URL", redisUrl, undefined),
    webhookAllow: pick(flags.webhookAllow, "--webhook-allow", env, "CASTELLAN_WEBHOOK_ALLOW", blockList, []),
    ...isolationSettings(flags.isolation, env),
  };
}

export interface NodeFlags {
  readonly controlPlane?: readonly string[];
  readonly tokenFile?: string;
  readonly data?: string;
  readonly templates?: string;
  readonly name?: string;
  readonly host?: string;
  readonly advertise?: string;
  readonly port?: string;
  readonly gatewayPort?: string;
  readonly prefix?: string;
  readonly subnet?: string;
  readonly maxSandboxes?: string;
  readonly memoryOvercommit?: string;
  readonly isolation?: string;
}

export interface NodeSettings extends IsolationSettings {
  /** Base URLs of the registry; `--control-plane`, CASTELLAN_CONTROL_PLANE (comma-separated). At least one. */
  readonly controlPlaneUrls: readonly string[];
  /** `--token-file`, CASTELLAN_TOKEN_FILE, `<default data directory>/cluster-token`. */
  readonly tokenFile: string;
  /** The node's own state; `--data`, CASTELLAN_NODE_DATA, /var/lib/castellan-node. */
  readonly dataDirectory: string;
  /** `--templates`, CASTELLAN_TEMPLATES, `<default data directory>/templates`. */
  readonly templatesDirectory: string;
  /** Unique in the cluster; `--name`, CASTELLAN_NODE_NAME; absent: made from the host's name once and kept. */
  readonly name: string | undefined;
  /** Address that the node listens on; `--host`, CASTELLAN_NODE_HOST, 127.0.0.1. */
  readonly host: string;
  /** What the control plane uses to reach it; `--advertise`, CASTELLAN_NODE_ADVERTISE; absent: `host`. */
  readonly advertise: string | undefined;
  /** `--port`, CASTELLAN_NODE_PORT; 0, the default, takes a free one. */
  readonly port: number;
  /** `--gateway-port`, CASTELLAN_GATEWAY_PORT; 0, the default, takes a free one. */
  readonly gatewayPort: number;
  /** `--prefix`, CASTELLAN_DEVICE_PREFIX; absent: chosen once and kept. */
  readonly devicePrefix: string | undefined;
  /** `--subnet`, CASTELLAN_SUBNET; absent: chosen once and kept. */
  readonly subnet: string | undefined;
  /** Sandboxes that the node runs at once; `--max-sandboxes`, CASTELLAN_NODE_SANDBOXES, 256. */
  readonly maxSandboxes: number;
  /**
   * How many times the machine's memory its sandboxes' limits may add up to; `--memory-overcommit`,
   * CASTELLAN_MEMORY_OVERCOMMIT, 16.
   */
  readonly memoryOvercommit: number;
}

export function nodeSettings(flags: NodeFlags, env: Environment): NodeSettings {
  const home = dataDirectoryPath(undefined, env);
  const host = pick(flags.host, "--host", env, "CASTELLAN_NODE_HOST", listenHost, "127.0.0.1");
  const advertise = pick(flags.advertise, "--advertise", env, "CASTELLAN_NODE_ADVERTISE", listenHost, undefined);
  if ((host === "0.0.0.0" || host === "::") && advertise === undefined) {
    throw new Failure(`A node that listens on ${host} must say how others reach it.`, {
      fix: "Add --advertise with this machine's address.",
    });
  }
  const urls = flags.controlPlane?.join(",");
  return {
    controlPlaneUrls:
      pick(urls, "--control-plane", env, "CASTELLAN_CONTROL_PLANE", urlList, undefined) ?? noControlPlane(),
    tokenFile: pick(flags.tokenFile, "--token-file", env, "CASTELLAN_TOKEN_FILE", path, join(home, "cluster-token")),
    dataDirectory: pick(flags.data, "--data", env, "CASTELLAN_NODE_DATA", path, "/var/lib/castellan-node"),
    templatesDirectory: pick(flags.templates, "--templates", env, "CASTELLAN_TEMPLATES", path, join(home, "templates")),
    name: pick(flags.name, "--name", env, "CASTELLAN_NODE_NAME", nodeName, undefined),
    host,
    advertise,
    port: pick(flags.port, "--port", env, "CASTELLAN_NODE_PORT", wholeNumber(0, 65_535), 0),
    gatewayPort: pick(flags.gatewayPort, "--gateway-port", env, "CASTELLAN_GATEWAY_PORT", wholeNumber(0, 65_535), 0),
    devicePrefix: pick(flags.prefix, "--prefix", env, "CASTELLAN_DEVICE_PREFIX", devicePrefix, undefined),
    subnet: pick(flags.subnet, "--subnet", env, "CASTELLAN_SUBNET", subnet, undefined),
    maxSandboxes: pick(
      flags.maxSandboxes,
      "--max-sandboxes",
      env,
      "CASTELLAN_NODE_SANDBOXES",
      wholeNumber(1, 65_536),
      256,
    ),
    memoryOvercommit: memoryOvercommit(flags.memoryOvercommit, env),
    ...isolationSettings(flags.isolation, env),
  };
}

function isolationSettings(flag: string | undefined, env: Environment): IsolationSettings {
  return {
    isolations: pick(flag, "--isolation", env, "CASTELLAN_ISOLATION", isolationList, defaultIsolations),
    runsc: pick(undefined, "", env, "CASTELLAN_RUNSC", path, undefined),
  };
}

const defaultIsolations: readonly Isolation[] = ["runc"];

/** The installation's directory as an absolute path; `--data`, CASTELLAN_DATA, /var/lib/castellan. */
export function dataDirectoryPath(flag: string | undefined, env: Environment): string {
  return pick(flag, "--data", env, "CASTELLAN_DATA", path, "/var/lib/castellan");
}

/** Seconds to live, 1 to 31,536,000 (a year); `--timeout`, 300. The server's own limit may be lower. */
export function timeoutSeconds(flag: string | undefined): number {
  return pick(flag, "--timeout", {}, "", wholeNumber(1, 31_536_000), 300);
}

/** Milliseconds that a command in a sandbox may run; `--timeout` in seconds, up to a day; no limit when absent. */
export function execTimeoutMs(flag: string | undefined): number | undefined {
  const seconds = pick(flag, "--timeout", {}, "", wholeNumber(1, 86_400), undefined);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** An event's id; `--after`. */
export function eventId(flag: string | undefined): string | undefined {
  return pick(
    flag,
    "--after",
    {},
    "",
    (text) => (/^\d{1,16}$/.test(text) ? text : new Refusal("an event's id")),
    undefined,
  );
}

/** A metadata revision as `--if-match` takes it: the number, or the ETag with its quotes. */
export function revision(flag: string | undefined): number | undefined {
  return pick(flag, "--if-match", {}, "", revisionNumber, undefined);
}

/** How many changes of a history to print; `--limit`, 100. */
export function historyLimit(flag: string | undefined): number {
  return pick(flag, "--limit", {}, "", wholeNumber(1, 1_000), 100);
}

function memoryOvercommit(flag: string | undefined, env: Environment): number {
  return pick(flag, "--memory-overcommit", env, "CASTELLAN_MEMORY_OVERCOMMIT", wholeNumber(1, 1_000), 16);
}

/** An API's origin as clients use it: without a path and without a slash at the end. */
export function origin(value: string, source: string): string {
  return accept(value, source, httpOrigin);
}

/** Reads a value, or says what it must be: "must be …". */
type Reader<T> = (text: string) => T | Refusal;

class Refusal {
  readonly must: string;
  constructor(must: string) {
    this.must = must;
  }
}

function pick<T, D>(
  flag: string | undefined,
  flagName: string,
  env: Environment,
  variable: string,
  read: Reader<T>,
  fallback: D,
): T | D {
  if (flag !== undefined) return accept(flag, flagName, read);
  const value = env[variable];
  // An empty variable is how a shell or a container file says "not set".
  return value === undefined || value === "" ? fallback : accept(value, variable, read);
}

function accept<T>(text: string, source: string, read: Reader<T>): T {
  const value = read(text.trim());
  if (!(value instanceof Refusal)) return value;
  // A URL may hold a password.
  const shown = source === "REDIS_URL" ? "" : ` ${JSON.stringify(text.slice(0, 100))}`;
  throw new Failure(`${source}${shown} must be ${value.must}.`);
}

function wholeNumber(min: number, max: number): Reader<number> {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : new Refusal(`a whole number from ${min} to ${max}`);
  };
}

function revisionNumber(text: string): number | Refusal {
  const value = Number(/^(?:\d{1,16}|"\d{1,16}")$/.test(text) ? text.replaceAll('"', "") : Number.NaN);
  return Number.isSafeInteger(value) ? value : new Refusal("a revision, such as 1795561946946186");
}

function path(text: string): string | Refusal {
  if (text === "" || text.includes("\0")) return new Refusal("a path");
  return isAbsolute(text) ? resolve(text) : resolve(process.cwd(), text);
}

function listenHost(text: string): string | Refusal {
  return isIP(text) !== 0 || isHostName(text) ? text : new Refusal("an IP address or a host name");
}

function domain(text: string): string | Refusal {
  const [host = "", port, ...rest] = text.toLowerCase().split(":");
  const portFits = port === undefined || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535);
  return isHostName(host) && portFits && rest.length === 0
    ? text.toLowerCase()
    : new Refusal("a domain, with or without a port, such as sandboxes.example.com");
}

function isHostName(text: string): boolean {
  return (
    text.length <= 253 && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(text)
  );
}

function httpOrigin(text: string): string | Refusal {
  const url = URL.parse(text);
  const plain = url !== null && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  return plain && /^https?:$/.test(url.protocol) ? url.origin : new Refusal("an origin such as http://127.0.0.1:3000");
}

function urlList(text: string): readonly string[] | Refusal {
  const urls = text.split(",").map((part) => httpOrigin(part.trim()));
  const good = urls.filter((url) => typeof url === "string");
  return good.length === urls.length && good.length <= 16
    ? good
    : new Refusal("one to 16 origins such as http://10.0.0.1:3001, separated by commas");
}

function isolationList(text: string): readonly Isolation[] | Refusal {
  const names = text.split(",").map((name) => name.trim());
  const known = names.filter(isIsolation);
  return known.length === names.length && new Set(known).size === known.length
    ? known
    : new Refusal("runc, gvisor, or both separated by a comma, the default first");
}

function blockList(text: string): readonly string[] | Refusal {
  const blocks = text.split(",").map((part) => part.trim());
  return blocks.length <= 64 && blocks.every(isAddressOrBlock)
    ? blocks
    : new Refusal("addresses or blocks such as 10.0.0.0/8, separated by commas");
}

function redisUrl(text: string): string | Refusal {
  return /^(redis|rediss):$/.test(URL.parse(text)?.protocol ?? "") ? text : new Refusal("a redis:// or rediss:// URL");
}

function nodeName(text: string): string | Refusal {
  return /^[a-zA-Z0-9._-]{1,64}$/.test(text) ? text : new Refusal("1 to 64 letters, digits, '.', '_' or '-'");
}

function devicePrefix(text: string): string | Refusal {
  return /^[a-z0-9]{1,4}$/.test(text) ? text : new Refusal("1 to 4 lower-case letters or digits");
}

function subnet(text: string): string | Refusal {
  const [address = "", length = ""] = text.split("/");
  const fits = isIP(address) === 4 && /^\d{1,2}$/.test(length) && Number(length) >= 8 && Number(length) <= 30;
  return fits ? text : new Refusal("an IPv4 block from /8 to /30, such as 10.200.0.0/22");
}

function noControlPlane(): never {
  throw new Failure("A node needs a control plane to register with.", {
    fix: "Name it with --control-plane http://<host>:<port>; `castellan up` says its address.",
  });
}
