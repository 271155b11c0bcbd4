import { CastellanError, type DeadLetter, type Webhook } from "@castellan/domain";
import { decimal, text, textList } from "../decoding.ts";
import { noSuchTeam, noSuchWebhook, tooManyWebhooks } from "../refusals.ts";
import type { WebhookChanges, WebhookClaim, WebhookOutcome } from "../store.ts";
import {
  deadLettersKept,
  decodeDeadLetter,
  decodeRetries,
  decodeWebhook,
  encodeDeadLetter,
  encodeRetries,
  encodeWebhook,
  firstDue,
  webhooksPerTeam,
} from "../webhooks/webhook-text.ts";
import type { RedisConnection } from "./connection.ts";
import { workKey } from "./keys.ts";
import * as lua from "./lua/webhooks.ts";
import { unexpected } from "./records.ts";
import { expectWork, takeTeams } from "./work.ts";

/** How often a change is tried that others' changes get ahead of. */
const attempts = 10;

export async function addWebhook(store: RedisConnection, wanted: Omit<Webhook, "createdAt">): Promise<Webhook> {
  const { teamId, webhookId, enabled } = wanted;
  const [seconds = 0, micros = 0] = await store.command((redis) => redis.time());
  const webhook = { ...wanted, createdAt: Number(seconds) * 1_000_000 + Number(micros) };
  // Before the webhook, so that there is none that nobody looks at.
  await expectWork(store, teamId, { webhooks: 0 });
  const args = [webhookId, encodeWebhook(webhook), enabled ? 1 : 0, webhooksPerTeam];
  const answer = await store.changeTeam(lua.addWebhook, teamId, args);
  switch (answer[0]) {
    case "ok":
      return webhook;
    case "noteam":
      throw noSuchTeam();
    case "many":
      throw tooManyWebhooks(webhooksPerTeam);
    default:
      throw unexpected(answer);
  }
}

export async function listWebhooks(store: RedisConnection, teamId: string): Promise<Webhook[]> {
  return (await storedWebhooks(store, teamId)).map(decodeWebhook);
}

export async function editWebhook(
  store: RedisConnection,
  teamId: string,
  webhookId: string,
  changes: WebhookChanges,
): Promise<Webhook> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const stored = (await storedWebhooks(store, teamId)).find((json) => decodeWebhook(json).webhookId === webhookId);
    if (stored === undefined) throw noSuchWebhook();
    const webhook = { ...decodeWebhook(stored), ...changes };
    const args = [webhookId, stored, encodeWebhook(webhook), webhook.enabled ? 1 : 0];
    const answer = await store.changeTeam(lua.editWebhook, teamId, args);
    if (answer[0] === "ok") return webhook;
    if (answer[0] !== "other") throw noSuchWebhook();
  }
  throw new CastellanError("unavailable", "The webhook is being changed all the time; try again");
}

export async function removeWebhook(store: RedisConnection, teamId: string, webhookId: string): Promise<boolean> {
  const answer = await store.changeTeam(lua.removeWebhook, teamId, [webhookId]);
  return answer[1] === 1;
}

export async function claimWebhooks(
  store: RedisConnection,
  owner: string,
  leaseMs: number,
  limit: number,
): Promise<WebhookClaim[]> {
  const claims: WebhookClaim[] = [];
  while (claims.length < limit) {
    const teams = await takeTeams(store, "webhooks");
    if (teams.length === 0) break;
    for (const teamId of teams) {
      const args = [owner, Math.round(leaseMs * 1000), Math.max(0, limit - claims.length)];
      const [said, count, now, ...parts] = await store.changeTeam(lua.claimWebhooks, teamId, args);
      if (said !== "ok" || count === 0) {
        // Nobody waits there. Whoever adds one puts the team back first, and then the webhook.
        await store.command((redis) => redis.zrem(workKey("webhooks"), teamId));
        if ((await storedWebhooks(store, teamId)).length > 0) await expectWork(store, teamId, { webhooks: 0 });
        continue;
      }
      for (let i = 0; i < parts.length; i += 3) {
        claims.push({
          webhook: decodeWebhook(text(parts[i])),
          owner,
          cursor: decimal(parts[i + 1]),
          retries: decodeRetries(text(parts[i + 2])),
          now: decimal(now),
        });
      }
    }
  }
  return claims;
}

export async function settleWebhook(
  store: RedisConnection,
  { webhook, owner }: WebhookClaim,
  { cursor, retries, dead, leaseMs }: WebhookOutcome,
): Promise<boolean> {
  const answer = await store.changeTeam(lua.settleWebhook, webhook.teamId, [
    webhook.webhookId,
    owner,
    cursor,
    encodeRetries(retries),
    firstDue(retries) ?? "",
    Math.round(leaseMs * 1000),
    deadLettersKept,
    ...dead.map(encodeDeadLetter),
  ]);
  return answer[0] === "ok";
}

export async function listDeadLetters(
  store: RedisConnection,
  teamId: string,
  webhookId: string,
): Promise<DeadLetter[]> {
  const [said, ...letters] = await store.readTeam(lua.listDeadLetters, teamId, [webhookId]);
  if (said !== "ok") throw noSuchWebhook();
  return textList(letters).map(decodeDeadLetter);
}

async function storedWebhooks(store: RedisConnection, teamId: string): Promise<string[]> {
  const [, ...stored] = await store.readTeam(lua.listWebhooks, teamId, []);
  return textList(stored);
}
