import type { components } from "@castellan/contracts/openapi";
import {
  CastellanError,
  type EgressPolicy,
  type Isolation,
  type Metadata,
  parseEgressPolicy,
  parseMetadata,
  type SandboxLifecycle,
} from "@castellan/domain";
import { checkMaxTimeout } from "./limits.ts";

/** What a create request asks for, checked. */
export interface SandboxSpec {
  /** As the request names it: a template's id or alias. */
  readonly template: string;
  readonly lifetimeMs: number;
  readonly secure: boolean;
  readonly publicTraffic: boolean;
  readonly metadata: Metadata;
  readonly envVars: Readonly<Record<string, string>>;
  readonly lifecycle: SandboxLifecycle;
  readonly egress: EgressPolicy;
  readonly allowInternetAccess?: boolean;
  /** Absent: whatever the node gives that has most room. */
  readonly isolation?: Isolation;
}

export type NewSandboxBody = components["schemas"]["NewSandboxV2"] &
  Pick<components["schemas"]["NewSandbox"], "secure">;

/** What the two create routes take for granted. */
export interface CreateDefaults {
  readonly timeoutSeconds: number;
  /** `always`: the request has no say. */
  readonly secure: "as asked" | "always";
}

const envLimits = { variables: 256, nameBytes: 256, valueBytes: 32 * 1024, totalBytes: 128 * 1024 };

/**
 * @param maxTimeoutSeconds the longest life that the request may ask for.
 * @throws `invalid_argument` on what makes no sense, and on what this version does not do: nothing is silently weaker.
 */
export function readNewSandbox(body: NewSandboxBody, defaults: CreateDefaults, maxTimeoutSeconds: number): SandboxSpec {
  const secure = defaults.secure === "always" || body.secure === true;
  const network = body.network ?? {};
  const publicTraffic = network.allowPublicTraffic ?? true;
  if (!publicTraffic && !secure) {
    throw invalid(
      "You cannot create a sandbox without public access unless you enable secure envd access via 'secure' flag.",
    );
  }
  refuseUnsupported(body);

  return {
    template: body.templateID,
    lifetimeMs: readTimeout(body.timeout ?? defaults.timeoutSeconds, maxTimeoutSeconds) * 1000,
    secure,
    publicTraffic,
    metadata: parseMetadata(body.metadata ?? {}),
    envVars: readEnvVars(body.envVars ?? {}),
    lifecycle: readLifecycle(body),
    egress: parseEgressPolicy(network.allowOut ?? [], network.denyOut ?? [], body.allow_internet_access),
    ...(body.allow_internet_access === undefined ? {} : { allowInternetAccess: body.allow_internet_access }),
    ...(body.isolation === undefined ? {} : { isolation: body.isolation }),
  };
}

function readTimeout(seconds: number, maxTimeoutSeconds: number): number {
  if (seconds <= 0) throw invalid("Timeout must be greater than 0");
  return checkMaxTimeout(seconds, maxTimeoutSeconds);
}

function readLifecycle(body: NewSandboxBody): SandboxLifecycle {
  const autoPause = body.autoPause ?? false;
  const autoPauseMemory = body.autoPauseMemory ?? true;
  const autoResume = body.autoResume?.enabled ?? false;
  if (!autoPauseMemory && !autoPause) throw invalid("autoPauseMemory=false only applies when autoPause is true.");
  if (!autoPauseMemory && autoResume) {
    throw invalid(
      "autoPauseMemory=false (filesystem-only auto-pause) cannot be combined with autoResume: a filesystem-only snapshot cannot be auto-resumed by traffic and must be resumed explicitly.",
    );
  }
  // Accepting it and then ending the sandbox would lose what the caller meant to keep.
  if (autoPause) throw unsupported("autoPause");
  return { autoPause, autoPauseMemory, autoResume };
}

function refuseUnsupported(body: NewSandboxBody): void {
  if ((body.volumeMounts ?? []).length > 0) throw invalid("Volume mounts are not enabled.");
  if (Object.keys(body.iam ?? {}).length > 0) throw unsupported("iam");
  const { network = {} } = body;
  refuseUnsupportedNetwork(network, "network.");
  if ((network.maskRequestHost ?? "") !== "") throw unsupported("network.maskRequestHost");
  if ((network.httpsPorts ?? []).length > 0) throw unsupported("network.httpsPorts");
  // `mcp` needs nothing here: the client starts its gateway by a command.
}

/** What both creating and updating may ask of the network, and this version does not do. @throws `invalid_argument` */
export function refuseUnsupportedNetwork(
  network: Pick<components["schemas"]["NetworkUpdate"], "egressProxy" | "rules">,
  where: string,
): void {
  if (network.egressProxy !== undefined && network.egressProxy !== null) throw unsupported(`${where}egressProxy`);
  if (Object.keys(network.rules ?? {}).length > 0) throw unsupported(`${where}rules`);
}

function readEnvVars(vars: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(vars);
  if (entries.length > envLimits.variables) throw invalid(`envVars may have at most ${envLimits.variables} entries`);
  let total = 0;
  for (const [name, value] of entries) {
    if (name === "" || /[=\0]/.test(name) || !name.isWellFormed() || Buffer.byteLength(name) > envLimits.nameBytes) {
      throw invalid(`An envVars name must be 1 to ${envLimits.nameBytes} bytes without "=" or NUL`);
    }
    if (value.includes("\0") || !value.isWellFormed() || Buffer.byteLength(value) > envLimits.valueBytes) {
      throw invalid(`An envVars value may have at most ${envLimits.valueBytes} bytes, without NUL`);
    }
    total += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (total > envLimits.totalBytes) throw invalid(`envVars may have at most ${envLimits.totalBytes} bytes in all`);
  return Object.fromEntries(entries);
}

function unsupported(name: string): CastellanError {
  return invalid(`${name} is not supported yet`);
}

function invalid(message: string): CastellanError {
  return new CastellanError("invalid_argument", message);
}
