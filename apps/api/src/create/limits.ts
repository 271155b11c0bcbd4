import { CastellanError, type SandboxResources, type Team, type TemplateLimits } from "@castellan/domain";
import type { Limits } from "../options.ts";

/** What has a say in how long a sandbox may live: the service, the team and the template; the least counts. */
export interface TimeoutLimits {
  readonly service: Pick<Limits, "maxTimeoutSeconds">;
  readonly team: Team;
  readonly template?: TemplateLimits;
}

/** The longest life that a request may ask for, in seconds. */
export function maxTimeoutOf({ service, team, template }: TimeoutLimits): number {
  return Math.min(
    service.maxTimeoutSeconds,
    team.limits?.maxTimeoutSeconds ?? Number.POSITIVE_INFINITY,
    template?.maxTimeoutSeconds ?? Number.POSITIVE_INFINITY,
  );
}

/** Checks a number of seconds against the limit. @throws `invalid_argument` */
export function checkMaxTimeout(seconds: number, maxTimeoutSeconds: number): number {
  if (seconds > maxTimeoutSeconds) {
    const limit = maxTimeoutSeconds % 3600 === 0 ? `${maxTimeoutSeconds / 3600} hours` : `${maxTimeoutSeconds} seconds`;
    throw new CastellanError("invalid_argument", `Timeout cannot be greater than ${limit}`);
  }
  return seconds;
}

/** What is said about a template, by its id or any of its aliases. */
export function templateLimitsOf(
  limits: Readonly<Record<string, TemplateLimits>>,
  names: readonly string[],
): TemplateLimits | undefined {
  for (const name of names) {
    if (Object.hasOwn(limits, name)) return limits[name];
  }
  return undefined;
}

/** A template's resources, with what is said about it in their place. */
export function resourcesWith(own: SandboxResources, limits: TemplateLimits | undefined): SandboxResources {
  return {
    cpuCount: limits?.cpuCount ?? own.cpuCount,
    memoryMb: limits?.memoryMb ?? own.memoryMb,
    diskMb: limits?.diskMb ?? own.diskMb,
  };
}

/** @throws `invalid_argument` when a sandbox of the team may not be that large. */
export function checkResources({ cpuCount, memoryMb, diskMb }: SandboxResources, { limits = {} }: Team): void {
  const { maxCpuCount = cpuCount, maxMemoryMb = memoryMb, maxDiskMb = diskMb } = limits;
  if (cpuCount > maxCpuCount) throw tooLarge("CPU count", `${maxCpuCount}`);
  if (memoryMb > maxMemoryMb) throw tooLarge("Memory", `${maxMemoryMb} MiB`);
  if (diskMb > maxDiskMb) throw tooLarge("Disk size", `${maxDiskMb} MiB`);
}

function tooLarge(what: string, limit: string): CastellanError {
  return new CastellanError("invalid_argument", `${what} can't be higher than ${limit} for this team`);
}
