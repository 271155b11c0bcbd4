import { HttpError } from "../http.ts";
import { sameSecret } from "../secrets.ts";

/** What a signed URL lets its holder do. */
export type Operation = "read" | "write";

/**
 * Lets a request pass whose query carries the signature for it: SHA-256, in base64 without padding, of
 * `path:operation:user:token` and, where the URL expires, `:` and the time of that in seconds since 1970. Path and user
 * count as they stand in the query, before anything is made of them.
 *
 * @throws HttpError 401 for a signature of something else, and for one that was valid until a while ago.
 */
export function checkSignature(query: URLSearchParams, operation: Operation, token: string, nowMs = Date.now()): void {
  const expiration = query.get("signature_expiration") ?? undefined;
  // Written in one way only, as what is signed is the text.
  if (expiration !== undefined && !/^(0|-?[1-9]\d{0,15})$/.test(expiration)) {
    throw new HttpError(400, "signature_expiration must be a time in seconds since 1970");
  }
  const signed = [query.get("path") ?? "", operation, query.get("username") ?? "", token];
  if (expiration !== undefined) signed.push(expiration);
  if (!sameSecret(signature(signed.join(":")), query.get("signature") ?? undefined)) {
    throw new HttpError(401, "invalid signature");
  }
  if (expiration !== undefined && Number(expiration) < Math.floor(nowMs / 1000)) {
    throw new HttpError(401, "signature is already expired");
  }
}

function signature(text: string): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  return `v1_${createHash("sha256").update(text).digest("base64").replace(/=+$/, "")}`;
}
