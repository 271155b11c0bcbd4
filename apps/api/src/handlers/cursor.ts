import { CastellanError } from "@castellan/domain";
import type { ListPosition } from "@castellan/store";

type Order = "asc" | "desc";

/** Where the next page begins, for clients to hand back and not to read. */
export function writeCursor({ startedAt, sandboxId }: ListPosition, order: Order): string {
  return Buffer.from(`1 ${order} ${startedAt} ${sandboxId}`).toString("base64url");
}

/** @throws `invalid_argument` on what `writeCursor` did not make, or made for the other order. */
export function readCursor(token: string, order: Order): ListPosition {
  const text = Buffer.from(token, "base64url").toString("latin1");
  const [, written, startedAt, sandboxId] = /^1 (asc|desc) (\d{1,16}) ([a-z0-9]{1,64})$/.exec(text) ?? [];
  if (written !== order || startedAt === undefined || sandboxId === undefined) {
    throw new CastellanError("invalid_argument", "Invalid next token");
  }
  return { startedAt: Number(startedAt), sandboxId };
}
