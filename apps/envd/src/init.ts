import type { IncomingMessage } from "node:http";
import { HttpError, isObject, readJsonObject } from "./http.ts";
import { bearerToken, hasHash } from "./secrets.ts";
import type { CurrentSettings, Settings } from "./settings.ts";

const maxBodyBytes = 1024 * 1024;

/**
 * `POST /init`: takes over the settings in the body, replacing earlier ones as a whole. Only the node can send it: the
 * request carries the secret of this execution, of which the daemon knows no more than the hash.
 *
 * @throws HttpError 403 when the daemon was started without a hash, 401 for a wrong secret, 400 and 413 for bad bodies.
 */
export async function init(
  request: IncomingMessage,
  secretHash: Uint8Array | undefined,
  settings: CurrentSettings,
): Promise<void> {
  if (!secretHash) throw new HttpError(403, "this daemon takes no settings");
  if (!hasHash(secretHash, bearerToken(request.headers.authorization)))
    throw new HttpError(401, "only the node may send settings");
  settings.replace(parse(await readJsonObject(request, maxBodyBytes)));
}

/** The clock is the host's, so a `timestamp`, which other daemons of this protocol set theirs by, has no effect. */
function parse(sent: Readonly<Record<string, unknown>>): Settings {
  return {
    envVars: readVariables(sent["envVars"]),
    accessToken: readText(sent["accessToken"], "accessToken"),
    defaultUser: readText(sent["defaultUser"], "defaultUser") ?? "user",
    defaultWorkdir: readText(sent["defaultWorkdir"], "defaultWorkdir"),
  };
}

function readVariables(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new HttpError(400, "envVars must be an object");
  return Object.fromEntries(
    Object.entries(value).map(([name, content]) => {
      if (typeof content !== "string") throw new HttpError(400, `envVars.${name} must be a string`);
      if (name === "" || name.includes("=") || `${name}${content}`.includes("\0")) {
        throw new HttpError(400, `envVars: ${JSON.stringify(name)} is not possible as an environment variable`);
      }
      return [name, content];
    }),
  );
}

/** A string, or undefined for null, nothing and "". */
function readText(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw new HttpError(400, `${field} must be a string`);
  return value;
}
