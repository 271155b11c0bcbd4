import { createHash, timingSafeEqual } from "node:crypto";

/** Checks `Authorization: Bearer <token>` in a time that says nothing about the token. */
export class BearerCheck {
  readonly #expected: Buffer;

  constructor(token: string) {
    this.#expected = hash(`Bearer ${token}`);
  }

  accepts(header: string | undefined): boolean {
    // The scheme's name is the same in any case; everything that calls a node writes it like this.
    return timingSafeEqual(this.#expected, hash(header ?? ""));
  }
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
