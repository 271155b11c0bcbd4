import { randomUUID } from "node:crypto";
import { CastellanError, type DeadLetter, type LifecycleEvent, type WebhookRetry } from "@castellan/domain";
import type { SandboxStore, WebhookClaim } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import { createLoop, type Loop } from "../loops/loop.ts";
import { payloadOf } from "./payload.ts";
import { post } from "./post.ts";
import { backOff, chooseRound, maxWaiting, type Round } from "./rounds.ts";
import { clientSignature, timedSignature } from "./signature.ts";
import type { Targets } from "./targets.ts";

export interface DeliverySettings {
  /** For one attempt, from the lookup to the end of the answer. Default 10,000 ms. */
  readonly attemptMs: number;
  /** Attempts before an event is given up. Default 8. */
  readonly attempts: number;
  /** Before the second attempt; twice as long each time after. Default 2,000 ms. */
  readonly firstRetryMs: number;
  /** Events of one webhook that are delivered at once. Default 8. */
  readonly atOnce: number;
  /** Webhooks that one process delivers for at once. Default 32. */
  readonly webhooks: number;
  /** Between two looks for webhooks with something to deliver. Default 250 ms. */
  readonly everyMs: number;
  /** How long a webhook stays claimed when its process dies. Default 30,000 ms; at least twice an attempt. */
  readonly leaseMs: number;
}

export const defaultDelivery: DeliverySettings = {
  attemptMs: 10_000,
  attempts: 8,
  firstRetryMs: 2_000,
  atOnce: 8,
  webhooks: 32,
  everyMs: 250,
  leaseMs: 30_000,
};

/** Of a dead letter. */
const keptPayload = 16 * 1024;
/** A webhook is given back after so many rounds, so that every one gets its turn and changes of it count. */
const roundsPerClaim = 20;

interface Attempt {
  readonly retry: WebhookRetry;
  /** `undefined`: delivered. */
  readonly error?: string;
  readonly payload?: string;
}

/**
 * Delivers events to webhooks, each at least once. How far a webhook is stands in the store, and whoever has claimed it
 * there delivers for it; a process that dies in between leaves a claim that runs out, and what it had not noted as
 * delivered is sent again by the next.
 */
export function createDelivery(
  store: SandboxStore,
  targets: Targets,
  settings: DeliverySettings,
  logger: Logger,
): Loop {
  const owner = randomUUID();
  let busy = 0;
  return createLoop({
    name: "webhooks",
    everyMs: settings.everyMs,
    logger,
    async run(each, signal) {
      const free = settings.webhooks - busy;
      if (free <= 0) return;
      for (const claim of await store.claimWebhooks(owner, settings.leaseMs, free)) {
        busy += 1;
        const { webhookId, teamId } = claim.webhook;
        const began = each.begin(`${teamId} ${webhookId}`, () =>
          deliver(claim, signal)
            .catch((error: unknown) => logger.warn({ webhookId, teamId, err: error }, "deliveries were interrupted"))
            .finally(() => {
              busy -= 1;
            }),
        );
        if (began) continue;
        // This process has just given it back, and is not quite through with it.
        busy -= 1;
        const { cursor, retries } = claim;
        await store.settleWebhook(claim, { cursor, retries, dead: [], leaseMs: 0 });
      }
    },
  });

  async function deliver(claim: WebhookClaim, signal: AbortSignal): Promise<void> {
    const claimedAt = performance.now();
    const now = () => claim.now + Math.round((performance.now() - claimedAt) * 1000);
    const { teamId, types } = claim.webhook;
    let { cursor, retries } = claim;
    for (let round = 1; ; round += 1) {
      const page =
        retries.length < maxWaiting
          ? await store.listEvents(teamId, { order: "asc", after: cursor, limit: settings.atOnce * 2, types })
          : { events: [], upTo: cursor, more: true };
      const chosen = chooseRound(cursor, retries, page, now(), settings.atOnce);
      const attempts = await attemptAll(claim, chosen, signal);
      const failed = attempts.filter(({ error }) => error !== undefined);
      const isOver = ({ retry }: Attempt) => retry.attempts >= settings.attempts;
      const dead = failed.filter(isOver).map((attempt) => letterOf(attempt, now()));
      const again = failed
        .filter((attempt) => !isOver(attempt))
        .map(({ retry }) => ({ ...retry, nextAt: nextAt(retry) }));
      for (const { eventId, error } of dead) {
        logger.warn({ teamId, webhookId: claim.webhook.webhookId, eventId, error }, "an event was not delivered");
      }
      const isIdle = attempts.length === 0 && chosen.cursor === cursor;
      ({ cursor } = chosen);
      retries = [...chosen.waiting, ...again];
      const isLast = isIdle || signal.aborted || round === roundsPerClaim;
      const leaseMs = isLast ? 0 : settings.leaseMs;
      if (!(await store.settleWebhook(claim, { cursor, retries, dead, leaseMs })) || isLast) return;
    }

    function nextAt({ attempts }: WebhookRetry): number {
      return now() + (attempts === 0 ? 0 : Math.round(backOff(attempts, settings.firstRetryMs) * 1000));
    }
  }

  async function attemptAll(claim: WebhookClaim, { fresh, retries }: Round, signal: AbortSignal): Promise<Attempt[]> {
    return Promise.all([
      ...fresh.map((event) => attempt(claim, retryOf(event), event, signal)),
      ...retries.map(async (retry) => attempt(claim, retry, await eventOf(claim, retry), signal)),
    ]);
  }

  async function eventOf({ webhook }: WebhookClaim, { eventId }: WebhookRetry): Promise<LifecycleEvent | undefined> {
    const { teamId } = webhook;
    const { events } = await store.listEvents(teamId, { order: "asc", after: eventId - 1, limit: 1 });
    return events[0]?.id === eventId ? events[0] : undefined;
  }

  async function attempt(
    { webhook }: WebhookClaim,
    before: WebhookRetry,
    event: LifecycleEvent | undefined,
    signal: AbortSignal,
  ): Promise<Attempt> {
    if (event === undefined) {
      return { retry: { ...before, attempts: settings.attempts }, error: "The event is no longer kept" };
    }
    const retry = { ...before, attempts: before.attempts + 1 };
    const payload = payloadOf(event);
    const headers = {
      "User-Agent": "castellan-webhooks",
      "e2b-webhook-id": webhook.webhookId,
      "e2b-delivery-id": randomUUID(),
      "e2b-signature-version": "v1",
      "e2b-signature": clientSignature(webhook.signatureSecret, payload),
      "castellan-event-id": String(event.id),
      "castellan-attempt": String(retry.attempts),
      "castellan-signature": timedSignature(webhook.signatureSecret, payload, Math.floor(Date.now() / 1000)),
    };
    try {
      const status = await post(targets, webhook.url, payload, headers, settings.attemptMs, signal);
      return status >= 200 && status < 300 ? { retry } : { retry, payload, error: `It answered ${status}` };
    } catch (error) {
      // This process is stopping: somebody else tries it anew.
      if (signal.aborted) return { retry: before, error: "interrupted" };
      return { retry, payload, error: wordsOf(error) };
    }
  }
}

function retryOf({ id, sandboxId }: LifecycleEvent): WebhookRetry {
  return { eventId: id, sandboxId, attempts: 0, nextAt: 0 };
}

function letterOf({ retry, error = "", payload }: Attempt, at: number): DeadLetter {
  const { eventId, sandboxId, attempts } = retry;
  const isKept = payload !== undefined && payload.length <= keptPayload;
  return { eventId, sandboxId, attempts, at, error, ...(isKept && { payload }) };
}

/** What the team may read: nothing of it says more about the network than whether the receiver could be reached. */
function wordsOf(error: unknown): string {
  if (error instanceof CastellanError) return error.message;
  if (!(error instanceof Error)) return "It could not be reached";
  if (error.name === "TimeoutError" || error.name === "AbortError") return "It did not answer in time";
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return code === undefined ? "It could not be reached" : `It could not be reached (${code.slice(0, 64)})`;
}
