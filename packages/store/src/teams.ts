import type { ApiKey, Team, TeamLimits } from "@castellan/domain";
import { number, object, text } from "./decoding.ts";

export function encodeTeam(team: Team): string {
  const { teamId, name, maxConcurrentSandboxes, limits } = team;
  return JSON.stringify({ v: 1, teamId, name, maxConcurrentSandboxes, limits });
}

export function decodeTeam(json: string): Team {
  const fields = object(JSON.parse(json));
  return {
    teamId: text(fields["teamId"]),
    name: text(fields["name"]),
    maxConcurrentSandboxes: number(fields["maxConcurrentSandboxes"]),
    // Absent in what earlier versions wrote.
    ...(fields["limits"] === undefined ? {} : { limits: decodeLimits(fields["limits"]) }),
  };
}

function decodeLimits(value: unknown): TeamLimits {
  const fields = object(value);
  const limits: { -readonly [Name in keyof TeamLimits]: TeamLimits[Name] } = {};
  for (const name of limitNames) {
    if (fields[name] !== undefined) limits[name] = number(fields[name]);
  }
  return limits;
}

const limitNames = [
  "maxTimeoutSeconds",
  "maxCpuCount",
  "maxMemoryMb",
  "maxDiskMb",
  "requestsPerSecond",
] as const satisfies readonly (keyof TeamLimits)[];

export function encodeApiKey(key: ApiKey): string {
  const { apiKeyId, teamId, name } = key;
  return JSON.stringify({ v: 1, apiKeyId, teamId, name });
}

export function decodeApiKey(json: string): ApiKey {
  const fields = object(JSON.parse(json));
  return { apiKeyId: text(fields["apiKeyId"]), teamId: text(fields["teamId"]), name: text(fields["name"]) };
}
