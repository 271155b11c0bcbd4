import { createHash, createHmac } from "node:crypto";

/**
 * As E2B's clients check it (`e2b-signature`, version `v1`): URL-safe base64 without padding of SHA-256 over the secret
 * and then the body.
 */
export function clientSignature(secret: string, body: string): string {
  return createHash("sha256")
    .update(secret + body)
    .digest("base64url");
}

/**
 * For receivers that want a MAC and to refuse old deliveries (`castellan-signature`): `t=<unix seconds>,v1=<hex>` with
 * HMAC-SHA256 over `<t>.<body>`.
 */
export function timedSignature(secret: string, body: string, unixSeconds: number): string {
  return `t=${unixSeconds},v1=${createHmac("sha256", secret).update(`${unixSeconds}.${body}`).digest("hex")}`;
}
