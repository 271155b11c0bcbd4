import type { ApiKey, Team } from "@castellan/domain";
import { number, object, text } from "./decoding.ts";

export function encodeTeam(team: Team): string {
  const { teamId, name, maxConcurrentSandboxes } = team;
  return JSON.stringify({ v: 1, teamId, name, maxConcurrentSandboxes });
}

export function decodeTeam(json: string): Team {
  const fields = object(JSON.parse(json));
  return {
    teamId: text(fields["teamId"]),
    name: text(fields["name"]),
    maxConcurrentSandboxes: number(fields["maxConcurrentSandboxes"]),
  };
}

export function encodeApiKey(key: ApiKey): string {
  const { apiKeyId, teamId, name } = key;
  return JSON.stringify({ v: 1, apiKeyId, teamId, name });
}

export function decodeApiKey(json: string): ApiKey {
  const fields = object(JSON.parse(json));
  return { apiKeyId: text(fields["apiKeyId"]), teamId: text(fields["teamId"]), name: text(fields["name"]) };
}
