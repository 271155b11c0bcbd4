/** Whether `given` is `expected`, in a time that says nothing about either. */
export function sameSecret(expected: string, given: string | undefined): boolean {
  return given !== undefined && hasHash(sha256(expected), given);
}

/** Whether `given` is the secret whose SHA-256 is `hash` (32 bytes), in a time that says nothing about it. */
export function hasHash(hash: Uint8Array, given: string | undefined): boolean {
  return given !== undefined && crypto().timingSafeEqual(hash, sha256(given));
}

/** The token of an `Authorization: Bearer <token>`; nothing where it is anything else. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

function sha256(text: string): Buffer {
  return crypto().createHash("sha256").update(text).digest();
}

/** Loaded at its first use: many daemons wait in a pool before anybody has a secret for them. */
function crypto() {
  return process.getBuiltinModule("node:crypto");
}
