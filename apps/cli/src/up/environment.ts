/** What a client needs to know to use this installation. */
export interface ClientEnvironment {
  readonly apiKey: string;
  /** Origin of the REST API. */
  readonly apiUrl: string;
  /** Origin that takes traffic to sandboxes; the same one on one machine. */
  readonly sandboxUrl: string;
}

/**
 * The lines that a shell or an `.env` file reads as they are. All three always: with the API's URL alone, the SDKs send
 * sandbox traffic, with its token, to the public cloud.
 */
export function environmentLines(environment: ClientEnvironment): string {
  return [
    `E2B_API_KEY=${environment.apiKey}`,
    `E2B_API_URL=${environment.apiUrl}`,
    `E2B_SANDBOX_URL=${environment.sandboxUrl}`,
    "",
  ].join("\n");
}
