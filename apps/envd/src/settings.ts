import { sameSecret } from "./secrets.ts";

/** What the node tells a sandbox about itself with `POST /init`. */
export interface Settings {
  /** Variables of every command. */
  readonly envVars: Readonly<Record<string, string>>;
  /** What clients must send as `X-Access-Token`. Absent: anyone who reaches the daemon may use it. */
  readonly accessToken: string | undefined;
  /** User of requests that name none. */
  readonly defaultUser: string;
  /** Directory of commands that name none. Absent: the user's home. */
  readonly defaultWorkdir: string | undefined;
}

/** Whether a request that carries `token` may do what is not open to everybody. */
export function hasToken(token: string | string[] | undefined, { accessToken }: Settings): boolean {
  return accessToken === undefined || (typeof token === "string" && sameSecret(accessToken, token));
}

/** The settings in force. Starts with none set by the node; later ones replace earlier ones as a whole. */
export class CurrentSettings {
  #settings: Settings = { envVars: {}, accessToken: undefined, defaultUser: "user", defaultWorkdir: undefined };
  #timestamp = Number.NEGATIVE_INFINITY;

  get current(): Settings {
    return this.#settings;
  }

  /**
   * Puts `settings` in force, unless later ones already are: `timestamp` (ms since 1970) orders requests that overtook
   * each other on the way. Without one they always apply. Returns whether they were applied.
   */
  replace(settings: Settings, timestamp?: number): boolean {
    if (timestamp !== undefined && timestamp < this.#timestamp) return false;
    if (timestamp !== undefined) this.#timestamp = timestamp;
    this.#settings = settings;
    return true;
  }
}
