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

  get current(): Settings {
    return this.#settings;
  }

  replace(settings: Settings): void {
    this.#settings = settings;
  }
}
