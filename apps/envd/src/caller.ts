import { Code, ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Account, Accounts } from "./accounts.ts";
import type { CurrentSettings } from "./settings.ts";

/** Whose rights a request asks for. */
export interface Caller {
  readonly account: Account;
}

const callerKey = createContextKey<Caller | undefined>(undefined, { description: "user of the request" });

/** The user of an RPC, as the gate has found it. */
export function callerOf(context: HandlerContext): Caller {
  const caller = context.values.get(callerKey);
  if (!caller) throw new ConnectError("no user was determined", Code.Internal);
  return caller;
}

/**
 * A gate that runs before an RPC's message is read: finds the user that the request names.
 *
 * @throws ConnectError unauthenticated when there is no such user.
 */
export function callerGate(accounts: Accounts, settings: CurrentSettings): (context: HandlerContext) => void {
  return (context) => {
    const name = basicUser(context.requestHeader.get("authorization")) ?? settings.current.defaultUser;
    const account = accounts.read().byName(name);
    if (!account) throw new ConnectError(`invalid username: '${name}'`, Code.Unauthenticated);
    context.values.set(callerKey, { account });
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
