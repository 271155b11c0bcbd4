import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { CastellanError } from "@castellan/domain";

/** What a signed file URL says; whose token it was signed with, it does not say. */
export interface SignedUrl {
  /** Seconds since 1970 after which it is of no use. */
  readonly expiration: number | undefined;
  /** The SHA-256 that it shows; `undefined` when that is none, which no token matches. */
  readonly digest: Buffer | undefined;
  /** The SHA-256 that it would have to show for a token. */
  digestFor(token: string): Buffer;
}

/** The daemon's one route that takes signatures. */
const route = "/files";
const operations: ReadonlyMap<string, string> = new Map([
  ["GET", "read"],
  ["HEAD", "read"],
  ["POST", "write"],
]);

/** Whether a request is for the daemon's files, of whichever sandbox. The API has no such path. */
export function isForFiles(request: Pick<IncomingMessage, "url">): boolean {
  const url = request.url ?? "";
  return url === route || url.startsWith(`${route}?`);
}

/**
 * Reads the URL of a request for files.
 * @returns `undefined` when it is not signed, or for a method that no signature allows.
 * @throws `invalid_argument` when it cannot be one.
 */
export function signedUrlOf(request: Pick<IncomingMessage, "url" | "method">): SignedUrl | undefined {
  const operation = operations.get(request.method ?? "");
  const query = new URLSearchParams((request.url ?? "").slice(route.length));
  const signature = query.get("signature");
  if (signature === null || operation === undefined) return undefined;
  const expiration = readExpiration(query.get("signature_expiration"));
  const before = `${query.get("path") ?? ""}:${operation}:${query.get("username") ?? ""}:`;
  const after = expiration === undefined ? "" : `:${expiration}`;
  return {
    expiration,
    digest: readDigest(signature),
    digestFor: (token) => hash("sha256", before + token + after, "buffer"),
  };
}

function readExpiration(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw new CastellanError("invalid_argument", "signature_expiration must be a whole number of seconds");
  }
  return Number(text);
}

/** `v1_` and 43 characters of base64 without padding, in their one spelling. */
function readDigest(signature: string): Buffer | undefined {
  const [, base64] = /^v1_([A-Za-z0-9+/]{43})$/.exec(signature) ?? [];
  if (base64 === undefined) return undefined;
  const digest = Buffer.from(base64, "base64");
  return digest.toString("base64") === `${base64}=` ? digest : undefined;
}
