import { Failure } from "../failure.ts";
import { dataDirectoryPath, type Environment, origin } from "../settings.ts";
import { dataDirectoryAt } from "../up/data-directory.ts";
import type { ClientEnvironment } from "../up/environment.ts";
import { readHolder } from "../up/instance-lock.ts";
import { isLoopback } from "../up/ports.ts";
import { apiKeyKind, readSecret } from "../up/secret-file.ts";

const defaultUrl = "http://127.0.0.1:3000";

/**
 * Where the API is and with which key: E2B_API_KEY, E2B_API_URL and E2B_SANDBOX_URL, else what `castellan up` on this
 * machine has written down. Its key is only used with an API on this machine: another one must not learn it.
 * @throws Failure when there is no key, or a variable makes no sense.
 */
export async function findConnection(env: Environment, dataFlag?: string): Promise<ClientEnvironment> {
  const data = dataDirectoryAt(dataDirectoryPath(dataFlag, env));
  const apiUrl =
    env["E2B_API_URL"] !== undefined && env["E2B_API_URL"] !== ""
      ? origin(env["E2B_API_URL"], "E2B_API_URL")
      : ((await readHolder(data.runningFile))?.url ?? defaultUrl);
  const sandboxUrl =
    env["E2B_SANDBOX_URL"] !== undefined && env["E2B_SANDBOX_URL"] !== ""
      ? origin(env["E2B_SANDBOX_URL"], "E2B_SANDBOX_URL")
      : apiUrl;
  return { apiKey: await findKey(env, apiUrl, data.apiKeyFile), apiUrl, sandboxUrl };
}

async function findKey(env: Environment, apiUrl: string, keyFile: string): Promise<string> {
  const given = env["E2B_API_KEY"];
  if (given !== undefined && given !== "") {
    // The server decides; this is for a key that was pasted with something around it.
    if (/^e2b_[0-9a-f]+$/.test(given)) return given;
    throw new Failure("E2B_API_KEY must be e2b_ and lower-case hex digits.");
  }
  if (isLoopback(new URL(apiUrl).hostname.replace(/^\[|\]$/g, ""))) {
    const kept = await readSecret(keyFile, apiKeyKind);
    if (kept !== undefined) return kept;
  }
  throw new Failure("There is no API key.", {
    fix: `Export E2B_API_KEY as \`castellan up\` printed it, or run this where ${keyFile} can be read.`,
  });
}
