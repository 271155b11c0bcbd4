import { randomBytes } from "node:crypto";
import { CastellanError } from "./errors.ts";

/** `i` and 20 random lower-case letters or digits: 103 bits, and a valid DNS label. */
export function newSandboxId(): string {
  return `i${randomLabel(20)}`;
}

/** `e` and 24 random lower-case letters or digits. New at every start, resume and fork. */
export function newExecutionId(): string {
  return `e${randomLabel(24)}`;
}

const operationPrefix = randomLabel(12);
let operations = 0;

/**
 * A new operation id: unique, and growing within one process, so that a store's index of them is appended to rather
 * than written all over.
 */
export function newOperationId(): string {
  operations += 1;
  return operationPrefix + operations.toString(36).padStart(10, "0");
}

/**
 * The sandbox id in what a client sent: the id itself or the older `id-client` form.
 * @throws `not_found` when it cannot be an id: no sandbox has such a name.
 */
export function parseSandboxId(text: string): string {
  const id = text.split("-", 1)[0] ?? "";
  if (!/^[a-z0-9]{1,64}$/.test(id)) {
    throw sandboxNotFound(text);
  }
  return id;
}

/** The message that clients match. */
export function sandboxNotFound(sandboxId: string): CastellanError {
  return new CastellanError(
    "not_found",
    `Sandbox "${printable(sandboxId)}" doesn't exist or you don't have access to it`,
  );
}

function printable(text: string): string {
  return text.slice(0, 64).replace(/[^\x20-\x7e]|"/g, "?");
}

function randomLabel(length: number): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  // 252 is the largest multiple of 36 in a byte: larger bytes would favour the first letters.
  let label = "";
  while (label.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < 252 && label.length < length) label += alphabet[byte % 36];
    }
  }
  return label;
}
