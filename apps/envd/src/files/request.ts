import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Account, Accounts } from "../accounts.ts";
import { basicUser } from "../caller.ts";
import { explain } from "../filesystem/failure.ts";
import { HttpError } from "../http.ts";
import { resolvePath } from "../paths.ts";
import { hasToken, type Settings } from "../settings.ts";
import { checkSignature } from "./signature.ts";

/**
 * Lets a request on `/files` pass that carries the access token or, without one, a signature. Without a token in force
 * all pass.
 *
 * @throws HttpError 401, 400 for a malformed expiration.
 */
export function checkFileAccess(request: IncomingMessage, query: URLSearchParams, settings: Settings): void {
  const given = request.headers["x-access-token"];
  if (settings.accessToken === undefined || hasToken(given, settings)) return;
  if (given) throw new HttpError(401, "access token present in header but does not match");
  if (!query.has("signature")) throw new HttpError(401, "missing signature query parameter");
  checkSignature(query, request.method === "POST" ? "write" : "read", settings.accessToken);
}

/**
 * The user of a request on `/files`: the query's `username`, else that of basic authentication, else the default.
 *
 * @throws HttpError 401 when there is no such user.
 */
export function fileUser(
  request: IncomingMessage,
  query: URLSearchParams,
  accounts: Accounts,
  settings: Settings,
): Account {
  const name = query.get("username") || basicUser(request.headers.authorization) || settings.defaultUser;
  return accountNamed(name, accounts);
}

/** The account of that name. @throws HttpError 401. */
export function accountNamed(name: string, accounts: Accounts): Account {
  const account = accounts.read().byName(name);
  if (!account) throw new HttpError(401, `invalid username: '${name}'`);
  return account;
}

/** The absolute path that a client means. @throws HttpError 400. */
export function filePath(path: string, account: Account, settings: Settings): string {
  try {
    return resolvePath(path, account, settings.defaultWorkdir);
  } catch (error) {
    throw new HttpError(400, explain(error).reason, { cause: error });
  }
}

/** An error of the operating system as the answer of a route. Keeps one that already is an answer. */
export function httpFailure(action: string, error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const { status, reason } = explain(error);
  return new HttpError(status, `${action}: ${reason}`, { cause: error });
}

/** How often a transfer must have moved a byte. */
const transferCheckMs = 320_000;

/** Does `work` and cuts the connection when for two checks in a row nothing has moved, so that an abandoned transfer ends. */
export async function whileMoving(socket: Socket, work: () => Promise<void>): Promise<void> {
  let moved = -1;
  const check = setInterval(() => {
    const now = socket.bytesRead + socket.bytesWritten;
    if (now === moved) socket.destroy();
    moved = now;
  }, transferCheckMs);
  try {
    await work();
  } finally {
    clearInterval(check);
  }
}
