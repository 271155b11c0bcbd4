import { type DeadLetter, lifecycleEventTypes, type Webhook, type WebhookRetry } from "@castellan/domain";
import { list, number, object, optionalText, text, textList } from "../decoding.ts";

/** Webhooks of one team. */
export const webhooksPerTeam = 20;
/** Dead letters that are kept of one webhook. */
export const deadLettersKept = 200;

/** How both stores keep webhooks and what belongs to them, as JSON. */

export function encodeWebhook(webhook: Webhook): string {
  const { webhookId, teamId, name, url, enabled, types, signatureSecret, createdAt } = webhook;
  return JSON.stringify({ v: 1, webhookId, teamId, name, url, enabled, types, signatureSecret, createdAt });
}

/** @throws `internal` when the text is not one that `encodeWebhook` wrote. */
export function decodeWebhook(json: string): Webhook {
  const fields = object(JSON.parse(json));
  const types = textList(fields["types"]);
  return {
    webhookId: text(fields["webhookId"]),
    teamId: text(fields["teamId"]),
    name: text(fields["name"]),
    url: text(fields["url"]),
    enabled: fields["enabled"] === true,
    types: lifecycleEventTypes.filter((type) => types.includes(type)),
    signatureSecret: text(fields["signatureSecret"]),
    createdAt: number(fields["createdAt"]),
  };
}

export function encodeRetries(retries: readonly WebhookRetry[]): string {
  return JSON.stringify(
    retries.map(({ eventId, sandboxId, attempts, nextAt }) => [eventId, sandboxId, attempts, nextAt]),
  );
}

export function decodeRetries(json: string): WebhookRetry[] {
  return list(JSON.parse(json)).map((one) => {
    const [eventId, sandboxId, attempts, nextAt] = list(one);
    return {
      eventId: number(eventId),
      sandboxId: text(sandboxId),
      attempts: number(attempts),
      nextAt: number(nextAt),
    };
  });
}

/** When the first of them is due; nothing when there is none. */
export function firstDue(retries: readonly WebhookRetry[]): number | undefined {
  return retries.length === 0 ? undefined : Math.min(...retries.map(({ nextAt }) => nextAt));
}

export function encodeDeadLetter({ eventId, sandboxId, attempts, at, error, payload }: DeadLetter): string {
  return JSON.stringify({ eventId, sandboxId, attempts, at, error, payload });
}

export function decodeDeadLetter(json: string): DeadLetter {
  const fields = object(JSON.parse(json));
  const payload = optionalText(fields["payload"]);
  return {
    eventId: number(fields["eventId"]),
    sandboxId: text(fields["sandboxId"]),
    attempts: number(fields["attempts"]),
    at: number(fields["at"]),
    error: text(fields["error"]),
    ...(payload !== undefined && { payload }),
  };
}
