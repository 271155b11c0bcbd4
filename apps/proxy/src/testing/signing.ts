import { createHash } from "node:crypto";
import type { ListLiveTokens, LiveToken } from "../index.ts";

export interface Signing {
  readonly token: string;
  readonly path?: string;
  readonly user?: string;
  readonly operation?: "read" | "write";
  /** Seconds since 1970. */
  readonly expiration?: number;
}

/** A file URL's path and query as the published client signs it. */
export function signed({ token, path = "", user, operation = "read", expiration }: Signing): string {
  const text = [path, operation, user ?? "", token, ...(expiration === undefined ? [] : [expiration])].join(":");
  const query = new URLSearchParams();
  if (user !== undefined) query.set("username", user);
  if (path !== "") query.set("path", path);
  query.set("signature", `v1_${createHash("sha256").update(text).digest("base64").replace(/=+$/, "")}`);
  if (expiration !== undefined) query.set("signature_expiration", String(expiration));
  return `/files?${query}`;
}

/** What a store would list, and how often it was asked. */
export class TokenList {
  readonly tokens: LiveToken[] = [];
  epoch = 1;
  asked = 0;
  /** Set to have the store not answer. */
  away = false;
  /** Places go on when the first ones are taken away. */
  removed = 0;

  readonly list: ListLiveTokens = async (after, limit) => {
    this.asked += 1;
    if (this.away) throw new Error("no answer");
    const from = Math.max(0, after - this.removed);
    const tokens = this.tokens.slice(from, from + limit);
    const upTo = tokens.length === 0 ? after : this.removed + from + tokens.length;
    return { tokens, upTo, total: this.tokens.length, epoch: this.epoch };
  };

  add(sandboxId: string, token: string): void {
    this.tokens.push({ sandboxId, token });
  }

  fill(count: number): void {
    for (let i = 0; i < count; i += 1) this.add(`iother${i}`, `token-of-other-${i}`);
  }

  removeOldest(count: number): void {
    this.tokens.splice(0, count);
    this.removed += count;
  }
}
