import { readFile } from "node:fs/promises";
import type { TeamLimits, TemplateLimits } from "@castellan/domain";
import { z } from "zod";
import { Failure } from "../failure.ts";

const seconds = z.int().min(1).max(2_000_000_000);
const positive = z.int().min(1).max(2_000_000_000);

/** What is misspelt must not read as "no limit": unknown names are refused. */
const teamSchema = z.strictObject({
  maxConcurrentSandboxes: z.int().min(0).max(1_000_000).optional(),
  maxTimeoutSeconds: seconds.optional(),
  maxCpuCount: positive.optional(),
  maxMemoryMb: positive.optional(),
  maxDiskMb: positive.optional(),
  /** null: as many as it likes. */
  requestsPerSecond: positive.nullable().optional(),
  /** Keys by a name of one's own; SHA-256 in lower-case hexadecimal. */
  apiKeys: z
    .record(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hex"))
    .optional(),
});

const fileSchema = z.strictObject({
  /** The longest life that any request may ask for. */
  maxTimeoutSeconds: seconds.optional(),
  teams: z.record(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), teamSchema).optional(),
  templates: z
    .record(
      z.string().min(1).max(128),
      z.strictObject({
        defaultTimeoutSeconds: seconds.optional(),
        maxTimeoutSeconds: seconds.optional(),
        cpuCount: z.int().min(1).max(256).optional(),
        memoryMb: z.int().min(64).max(1_048_576).optional(),
        diskMb: z.int().min(64).max(16_777_216).optional(),
      }),
    )
    .optional(),
});

export interface ConfiguredTeam {
  readonly teamId: string;
  /** Absent: the default. */
  readonly maxConcurrentSandboxes?: number;
  readonly limits: TeamLimits;
  /** SHA-256 by name. */
  readonly apiKeys: Readonly<Record<string, string>>;
}

/** What an installation's limits file says, with the defaults in place of what it does not say. */
export interface ConfiguredLimits {
  /** Absent: 24 h. */
  readonly maxTimeoutSeconds?: number;
  /** The team `default` is always among them. */
  readonly teams: readonly ConfiguredTeam[];
  /** By id or alias. */
  readonly templates: Readonly<Record<string, TemplateLimits>>;
}

/** The team whose key the installation prints. */
export const defaultTeam = "default";
/** Of each API key, unless the file says otherwise. */
const defaultRequestsPerSecond = 1_000;

/**
 * Reads the limits file. One that was not named may be missing: then everything has its default.
 * @throws Failure when it cannot be read or says something that makes no sense.
 */
export async function readLimits(path: string, mayBeMissing: boolean): Promise<ConfiguredLimits> {
  const { maxTimeoutSeconds, teams = {}, templates = {} } = parse(await textOf(path, mayBeMissing), path);
  const named = { [defaultTeam]: {}, ...teams };
  return {
    ...(maxTimeoutSeconds === undefined ? {} : { maxTimeoutSeconds }),
    teams: Object.entries(named).map(([teamId, team]) => configuredTeam(teamId, team)),
    templates: Object.fromEntries(Object.entries(templates).map(([name, limits]) => [name, defined(limits)])),
  };
}

function configuredTeam(teamId: string, team: z.infer<typeof teamSchema>): ConfiguredTeam {
  const { maxConcurrentSandboxes, apiKeys = {}, requestsPerSecond, ...limits } = team;
  const rate = requestsPerSecond === undefined ? defaultRequestsPerSecond : requestsPerSecond;
  return {
    teamId,
    ...(maxConcurrentSandboxes === undefined ? {} : { maxConcurrentSandboxes }),
    limits: { ...defined(limits), ...(rate === null ? {} : { requestsPerSecond: rate }) },
    apiKeys,
  };
}

/** The same without what is undefined. */
function defined<Name extends string>(fields: { readonly [_ in Name]?: number | undefined }): { [_ in Name]?: number } {
  const kept: { [_ in Name]?: number } = {};
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

async function textOf(path: string, mayBeMissing: boolean): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    if (isMissing && mayBeMissing) return "{}";
    throw new Failure(`The limits file ${path} cannot be read.`, { cause });
  }
}

function parse(text: string, path: string): z.infer<typeof fileSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Failure(`The limits file ${path} is not JSON.`, { cause });
  }
  const { data, error } = fileSchema.safeParse(json);
  if (data !== undefined) return data;
  const problems = error.issues.map(({ path: where, message }) => `${where.join(".") || "the file"}: ${message}`);
  throw new Failure(`The limits file ${path} is wrong: ${problems.join("; ")}.`);
}
