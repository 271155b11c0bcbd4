import { Code, ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Account, Accounts } from "./accounts.ts";
import type { CurrentSettings } from "./settings.ts";

const callerKey = createContextKey<string | Account>("", { description: "user of the request" });

/**
 * The user of an RPC.
 *
 * @throws ConnectError unauthenticated when the request names no user and the default one does not exist.
 */
export function callerOf(context: HandlerContext): Account {
  const caller = context.values.get(callerKey);
  if (typeof caller === "string") throw new ConnectError(`invalid default user: '${caller}'`, Code.Unauthenticated);
  return caller;
}

/**
 * A gate that runs before an RPC's message is read: finds the user that the request names, or the default. That one may
 * be missing from a template, which matters to those RPCs only that ask for the user.
 *
 * @throws ConnectError unauthenticated when there is no user of the name in the request.
 */
export function callerGate(accounts: Accounts, settings: CurrentSettings): (context: HandlerContext) => void {
  return (context) => {
    const named = basicUser(context.requestHeader.get("authorization"));
    const name = named ?? settings.current.defaultUser;
    const account = accounts.read().byName(name);
    if (!account && named) throw new ConnectError(`invalid username: '${named}'`, Code.Unauthenticated);
    context.values.set(callerKey, account ?? name);
  };
}

/**
 * The user name of HTTP basic authentication. Undefined when there is none: another scheme, an empty name, something
 * that cannot be decoded. The password plays no part, access is the token's matter.
 */
export function basicUser(header: string | null | undefined): string | undefined {
  const encoded = /^basic +([A-Za-z0-9+/_=-]+) *$/i.exec(header ?? "")?.[1];
  if (!encoded) return undefined;
  return Buffer.from(encoded, "base64").toString("utf8").split(":", 1)[0] || undefined;
}
