import type { Account } from "../accounts.ts";

/**
 * The environment of a command: what a login would set for the user, over that the sandbox's variables, over that the
 * request's. Nothing of the daemon's own environment but PATH.
 */
export function commandEnvironment(
  account: Account,
  path: string,
  sandbox: Readonly<Record<string, string>>,
  request: Readonly<Record<string, string>>,
): Record<string, string> {
  const user = { PATH: path, HOME: account.home, USER: account.name, LOGNAME: account.name, SHELL: account.shell };
  return Object.fromEntries([user, sandbox, request].flatMap((variables) => Object.entries(variables)));
}
