import type { EventId, LifecycleEventType } from "./events.ts";
import type { Micros } from "./revision.ts";

/** Where a team wants to be told of events. */
export interface Webhook {
  readonly webhookId: string;
  readonly teamId: string;
  readonly name: string;
  readonly url: string;
  readonly enabled: boolean;
  readonly types: readonly LifecycleEventType[];
  /** What deliveries are signed with; never shown after creation, never logged. */
  readonly signatureSecret: string;
  readonly createdAt: Micros;
}

/** An event that could not be delivered yet, or waits behind one of the same sandbox. */
export interface WebhookRetry {
  readonly eventId: EventId;
  readonly sandboxId: string;
  /** Attempts that have failed. */
  readonly attempts: number;
  /** When it is tried again, by the store's clock. */
  readonly nextAt: Micros;
}

/** An event that was given up. */
export interface DeadLetter {
  readonly eventId: EventId;
  readonly sandboxId: string;
  readonly attempts: number;
  readonly at: Micros;
  /** What was wrong the last time. */
  readonly error: string;
  /** The event as it would have been sent, as JSON; absent when it was too large to keep, or no longer there. */
  readonly payload?: string;
}
