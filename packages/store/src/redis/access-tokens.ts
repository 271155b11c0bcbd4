import type { SandboxIdentity } from "@castellan/domain";
import { decimal, list, number, text, textList } from "../decoding.ts";
import type { AccessTokenPage } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import { accessTokensKey, recordKey, sandboxTeamKey } from "./keys.ts";
import * as lua from "./lua/access-tokens.ts";

/**
 * The tokens of secure sandboxes stand in a slot of their own. A token is written before its record and removed after
 * it; a process that ends in between leaves one behind, which finds nobody, and which a later removal happens upon.
 */

/** One removal in so many looks at a few tokens. */
const sweepOneIn = 16;
const sweepAtOnce = 4;
/** Longer than a record can take to follow its token. */
const sweepAfterMs = 600_000;

export async function listAccessTokens(store: RedisConnection, after: number, limit: number): Promise<AccessTokenPage> {
  await store.ready();
  const { epoch } = store;
  const [total, last, ...entries] = list(await store.run(lua.listTokens, accessTokensKey, [after, limit]));
  const tokens: { sandboxId: string; token: string }[] = [];
  for (let i = 0; i < entries.length; i += 2) {
    tokens.push({ sandboxId: text(entries[i]), token: text(entries[i + 1]) });
  }
  return { tokens, upTo: last === "" ? after : decimal(last), total: number(total), epoch };
}

/** Before the record is written. */
export async function keepToken(
  store: RedisConnection,
  { sandboxId, envdAccessToken }: SandboxIdentity,
  known: "NX" | "replace",
): Promise<void> {
  if (envdAccessToken === undefined) return;
  await store.run(lua.keepToken, accessTokensKey, [sandboxId, envdAccessToken, known]);
}

/** After the record was removed, or refused. */
export async function dropToken(store: RedisConnection, sandboxId: string): Promise<void> {
  await store.run(lua.dropTokens, accessTokensKey, [sandboxId]);
  if (Math.random() < 1 / sweepOneIn) await sweepTokens(store, sweepAtOnce, sweepAfterMs);
}

/** Looks at some tokens of this age or more, and drops those that have no record. */
export async function sweepTokens(store: RedisConnection, atMost: number, afterMs: number): Promise<void> {
  const sample = textList(await store.run(lua.sampleTokens, accessTokensKey, [atMost, Math.round(afterMs * 1000)]));
  const gone: string[] = [];
  for (const sandboxId of sample) {
    const teamId = await store.command((redis) => redis.get(sandboxTeamKey(sandboxId)));
    const isThere = teamId !== null && (await store.command((redis) => redis.exists(recordKey(teamId, sandboxId))));
    if (!isThere) gone.push(sandboxId);
  }
  if (gone.length > 0) await store.run(lua.dropTokens, accessTokensKey, gone);
}
