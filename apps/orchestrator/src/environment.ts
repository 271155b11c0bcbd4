import { isAbsolute } from "node:path";
import { CastellanError, type Isolation, isolations } from "@castellan/domain";
import { z } from "zod";
import type { ListenAddress } from "./options.ts";

const absolute = z.string().refine(isAbsolute, "must be an absolute path");
const wholeNumber = z
  .string()
  .regex(/^\d{1,10}$/, "must be a whole number")
  .transform(Number);
const listen = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:]+):\d{1,5}$/, "must look like host:port")
  .transform((text): { host: string; port: number } => {
    const colon = text.lastIndexOf(":");
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
  });
const flag = z.enum(["0", "1"]).transform((text) => text === "1");

/** What a node's process is set up with. */
const variablesSchema = z.object({
  CASTELLAN_NODE_ID: z.string(),
  /** Absolute path; the node keeps its own state and the runtime's below it. */
  CASTELLAN_STATE_DIR: absolute,
  CASTELLAN_TEMPLATES_DIR: absolute,
  /** File that holds the cluster's token. */
  CASTELLAN_CLUSTER_TOKEN_FILE: absolute,
  /** Base URLs of the control plane's processes, joined by commas. Empty: the node stands alone. */
  CASTELLAN_CONTROL_PLANE_URL: z.string().default(""),
  /** host:port of the Connect services. */
  CASTELLAN_RPC_LISTEN: listen.default({ host: "127.0.0.1", port: 0 }),
  /** host:port of the gateway into the sandboxes. */
  CASTELLAN_GATEWAY_LISTEN: listen.default({ host: "127.0.0.1", port: 0 }),
  /** Host by which others reach both. Default: what is listened on. */
  CASTELLAN_ADVERTISE: z.string().optional(),
  CASTELLAN_MAX_SANDBOXES: wholeNumber.optional(),
  /** What sandboxes may have, joined by commas, the default first. */
  CASTELLAN_ISOLATION: z
    .string()
    .default("runc")
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(isolations))),
  /** gVisor's runsc, where it is not on the PATH. */
  CASTELLAN_RUNSC: absolute.optional(),
  /** 1: SIGINT leaves the sandboxes running, as SIGTERM always does. */
  CASTELLAN_KEEP_SANDBOXES: flag.default(false),

  /** As `RuntimeOptions` of the runtime: what this node uses of its machine and no other may. */
  CASTELLAN_DEVICE_PREFIX: z.string(),
  CASTELLAN_SUBNET: z.string(),
  CASTELLAN_UID_BASE: wholeNumber,
  /** Absolute paths of what runs inside the sandboxes. */
  CASTELLAN_DAEMON_NODE: absolute.default(process.execPath),
  CASTELLAN_DAEMON_BUNDLE: absolute,
  CASTELLAN_DAEMON_INIT: absolute.default("/usr/bin/tini-static"),
});

export interface NodeEnvironment {
  readonly nodeId: string;
  readonly stateDir: string;
  readonly templatesDir: string;
  readonly clusterTokenFile: string;
  readonly controlPlaneUrls: readonly string[];
  readonly rpc: ListenAddress;
  readonly gateway: ListenAddress;
  readonly maxSandboxes: number | undefined;
  readonly isolations: readonly Isolation[];
  readonly runsc: string | undefined;
  readonly keepSandboxes: boolean;
  readonly devicePrefix: string;
  readonly subnet: string;
  readonly uidBase: number;
  readonly daemon: { readonly nodeBinary: string; readonly bundle: string; readonly init: string };
}

/** @throws `invalid_argument` that names every variable that is missing or wrong. */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): NodeEnvironment {
  const { data, error } = variablesSchema.safeParse(variables);
  if (data === undefined) {
    const problems = error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new CastellanError("invalid_argument", `The node's environment is wrong: ${problems.join("; ")}`);
  }
  const advertise = data.CASTELLAN_ADVERTISE === undefined ? {} : { advertise: data.CASTELLAN_ADVERTISE };
  return {
    nodeId: data.CASTELLAN_NODE_ID,
    stateDir: data.CASTELLAN_STATE_DIR,
    templatesDir: data.CASTELLAN_TEMPLATES_DIR,
    clusterTokenFile: data.CASTELLAN_CLUSTER_TOKEN_FILE,
    controlPlaneUrls: data.CASTELLAN_CONTROL_PLANE_URL.split(",").filter((url) => url !== ""),
    rpc: { ...data.CASTELLAN_RPC_LISTEN, ...advertise },
    gateway: { ...data.CASTELLAN_GATEWAY_LISTEN, ...advertise },
    maxSandboxes: data.CASTELLAN_MAX_SANDBOXES,
    isolations: data.CASTELLAN_ISOLATION,
    runsc: data.CASTELLAN_RUNSC,
    keepSandboxes: data.CASTELLAN_KEEP_SANDBOXES,
    devicePrefix: data.CASTELLAN_DEVICE_PREFIX,
    subnet: data.CASTELLAN_SUBNET,
    uidBase: data.CASTELLAN_UID_BASE,
    daemon: {
      nodeBinary: data.CASTELLAN_DAEMON_NODE,
      bundle: data.CASTELLAN_DAEMON_BUNDLE,
      init: data.CASTELLAN_DAEMON_INIT,
    },
  };
}
