import type {
  ApiKey,
  AppliedRevisions,
  DeadLetter,
  EgressPolicy,
  EndCause,
  Epoch,
  EventId,
  Idempotency,
  LifecycleEvent,
  LifecycleEventType,
  Metadata,
  MetadataDelta,
  MetadataHistoryEntry,
  Micros,
  NodeRecord,
  Revision,
  SandboxIdentity,
  SandboxRecord,
  SandboxState,
  Team,
  Webhook,
  WebhookRetry,
} from "@castellan/domain";

/**
 * The authority over sandboxes. Every method is one atomic step in the store; a method that changes a sandbox decides on
 * what is *stored*, never on a record that the caller read before.
 *
 * Every method rejects with `unavailable` when the store does not answer within its deadline (then the outcome of a
 * change is unknown, which is why changes carry an operation id or compare the execution), and with `internal` on a
 * fault of the store. "Does not answer" is never turned into "not found".
 */
export interface SandboxStore {
  /** Which store this is, and what an acknowledged write survives. */
  describe(): StoreDescription;
  /** The incarnation of the store that this connection has verified. */
  epoch(): Promise<Epoch>;
  /** Calls `listener` with every further epoch, as soon as this process learns of it. Answers how to stop that. */
  onEpoch(listener: (epoch: Epoch) => void): () => void;
  /** The store's clock; as one process sees it, it never steps back. */
  now(): Promise<Micros>;
  /**
   * Raises the epoch above a revision or epoch that a node holds and this store has not known; answers the epoch that is
   * then in force. A `known` below the epoch changes nothing.
   */
  raiseEpoch(known: Epoch | Revision): Promise<Epoch>;
  /**
   * Stops timers and connections. Calls in flight are answered or rejected with `unavailable`, later ones are rejected.
   * Idempotent.
   */
  close(): Promise<void>;

  // Teams

  /** Creates or replaces a team. @throws `invalid_argument` unless the id is 1 to 64 of `A-Z a-z 0-9 _ -`. */
  putTeam(team: Team): Promise<void>;
  /** `keyHash` is the lower-case hex SHA-256 of the key. @throws `not_found` when there is no such team. */
  putApiKey(key: ApiKey, keyHash: string): Promise<void>;
  findApiKey(keyHash: string): Promise<{ readonly key: ApiKey; readonly team: Team } | undefined>;

  // A sandbox's life

  /**
   * Writes the record in state `creating`, before any node is asked. Counts the team's concurrent sandboxes in the same
   * step. Creating the same sandbox and execution again answers with the record as it is now.
   * @throws `quota_exceeded` at the team's limit; `conflict` when the id exists with another execution, or the execution
   * was removed; `not_found` when there is no such team; `unavailable` when the epoch is not the store's.
   */
  create(sandbox: NewSandboxRecord, maxConcurrent: number): Promise<SandboxRecord>;
  get(teamId: string, sandboxId: string): Promise<SandboxRecord | undefined>;
  /** The same without knowing the team: for traffic to a sandbox and for the control loops. */
  locate(sandboxId: string): Promise<SandboxRecord | undefined>;
  list(teamId: string, query: ListQuery): Promise<ListPage>;
  /**
   * Sandboxes of the team that show as running and have all of these tags, counted without reading them; `undefined`
   * where counting would cost too much (several tags that each have 10,000 sandboxes; in SQLite also one or none).
   */
  countRunning(teamId: string, filter: Metadata): Promise<number | undefined>;
  /**
   * Compare-and-set on execution and state; `mayBecome` holds for every pair. A start (`next`) has a new start time, and
   * nothing is applied yet. Becoming `running` makes the fields due for a push that `confirmed` (or what was confirmed
   * before) does not cover; a paused sandbox's end time is the time at which it was paused.
   * @throws `not_found`; `conflict` when execution or state differ (the message names the state); `quota_exceeded`;
   * `unavailable` for a start of what is not fully verified.
   */
  transition(change: Transition): Promise<SandboxRecord>;
  /**
   * Removes the record and leaves a tombstone for its execution, if the execution is still the record's; also leaves one
   * if there is no record, for then nothing newer can exist. Does nothing to a sandbox that outlives its execution: one
   * that is paused, or on its way there or back. Idempotent. Answers whether a record was removed. What was
   * seen running and was not `killing` yet is told of as killed, with the given cause.
   * @throws `unavailable` when the record is not verified: a node may know of a newer execution.
   */
  remove(execution: ExecutionKey, why?: Why): Promise<boolean>;
  /** Whether this execution was removed. Tombstones are kept for at least 24 h. */
  isTombstoned(sandboxId: string, executionId: string): Promise<boolean>;
  /**
   * Takes from a node's manifest what the store has forgotten: the sandbox, if it knows neither it nor a tombstone of the
   * execution; a newer execution; and live fields at revisions that the record does not know (see `takeFound` of the
   * domain). `merged`: own edits of this epoch went over what the node held. Verifies nothing.
   * @throws `unavailable` when the epoch is not the store's.
   */
  adopt(sandbox: AdoptedSandbox): Promise<AdoptOutcome>;
  /**
   * Says of records from before the epoch that what is needed has been heard of them. Records of another execution, and
   * those that know as much already, stay as they are.
   * @throws `unavailable` when the epoch is not the store's.
   */
  verify(epoch: Epoch, records: readonly Verification[]): Promise<void>;

  // Live edits

  /**
   * In this order: team → idempotency key and operation id (a replay ends here) → epoch → verified → state → `If-Match` →
   * merge the delta into what is stored → limits → revision, history, index, "push due". An edit without effect keeps the
   * revision, unless the record is not fully verified: then it is kept like any other, to go over what a late node brings.
   * Operation ids are known for at least 10 minutes; `newOperationId` of the domain makes ones that are cheap to keep. Of
   * idempotency keys a sandbox's newest 10,000 are known, for 24 h; and of the metadata that they ended with, the newest
   * MiB, in at most 1,000 maps.
   * @throws `not_found`, also while it is being created; `key_reused`; `conflict` while it is being killed;
   * `precondition_failed`; `invalid_argument` at the limits; `unavailable` when the epoch is not the store's or the record
   * is not verified in it, with `ifMatch` not fully.
   */
  editMetadata(edit: MetadataEdit): Promise<LiveCommit>;
  /**
   * The changes of a sandbox's metadata, newest first: of the last 1,000 or the last MiB of them, whichever is less, a
   * page. `undefined` when there is no such sandbox.
   */
  metadataHistory(teamId: string, sandboxId: string, query: HistoryQuery): Promise<HistoryPage | undefined>;
  /**
   * Sets or extends the end of a running sandbox's life, counted from the store's clock.
   * @throws `not_found`; `conflict` when it is not running; `unavailable` as above.
   */
  editEndTime(edit: EndTimeEdit): Promise<LiveCommit>;
  /**
   * Replaces what a running sandbox may reach, or one whose node does not answer: it is told when it is back.
   * @throws as `editEndTime`.
   */
  editEgress(edit: EgressEdit): Promise<LiveCommit>;
  /**
   * Notes what a node holds. Ignored: reports of another epoch or of an execution that is not the record's. Within one
   * boot of the node the maximum counts; a new boot id sets "applied" to what that boot reports, and late reports of the
   * boot before it are ignored. "Push due" is cleared only when every field's applied revision is the current one.
   */
  confirm(reports: readonly Confirmation[]): Promise<void>;

  // For the control loops; across teams, bounded by `limit`, most urgent first

  /**
   * Records that the node may not know the newest revision of, due at or before now. A change becomes due 1 s after its
   * commit (`pushGraceMs`), which is the time that its own push has; one that a start left behind, at once.
   */
  listPushDue(limit: number): Promise<SandboxRecord[]>;
  /** Postpones the next listing of these after a push that failed. */
  deferPush(execution: ExecutionKey, delayMs: number): Promise<void>;
  /** Running records whose end time has passed. */
  listEnded(limit: number): Promise<SandboxRecord[]>;
  /**
   * Takes one of them to `killing` (or `pausing`) if, in the same step and by the store's clock, it is still running and
   * its end time has still passed; `undefined` when it was extended meanwhile, or may have been: while not verified.
   */
  claimEnded(
    execution: ExecutionKey,
    to: "killing" | "pausing",
    deadlineMs: number,
  ): Promise<SandboxRecord | undefined>;
  /** Records whose transitional state is past its deadline. */
  listOverdue(limit: number): Promise<SandboxRecord[]>;
  /** Records placed on a node, in any state. */
  listOnNode(nodeId: string): Promise<SandboxRecord[]>;

  // Events

  /**
   * A page of the team's events. Every effective edit and every change of state that shows to the outside adds one in the
   * same step, and ids only grow, also over a new epoch. A team's last 100,000 events are kept, of the last 7 days and up to
   * 64 MiB of them; of a team that does not exist there are none. The search ends at the limit, at the end or after 5 s;
   * `next` says where it goes on.
   */
  listEvents(teamId: string, query: EventQuery): Promise<EventPage>;

  // Webhooks

  /**
   * Adds a webhook, which is told of what happens from now on.
   * @throws `not_found` when there is no such team; `quota_exceeded` at 20 webhooks of the team.
   */
  addWebhook(webhook: Omit<Webhook, "createdAt">): Promise<Webhook>;
  listWebhooks(teamId: string): Promise<Webhook[]>;
  /**
   * Changes what is given. What happened while it was disabled is not told. A claim on it ends.
   * @throws `not_found`.
   */
  editWebhook(teamId: string, webhookId: string, changes: WebhookChanges): Promise<Webhook>;
  /** Removes it with its dead letters; answers whether it was there. */
  removeWebhook(teamId: string, webhookId: string): Promise<boolean>;
  /**
   * Claims enabled webhooks of any team for which there are new events or due retries, at most `limit`, for `leaseMs` by the
   * store's clock. What somebody else has claimed is left out until that lease has run out.
   */
  claimWebhooks(owner: string, leaseMs: number, limit: number): Promise<WebhookClaim[]>;
  /** Notes how far a claimed webhook is. Answers whether the claim still held; if not, nothing was noted. */
  settleWebhook(claim: WebhookClaim, outcome: WebhookOutcome): Promise<boolean>;
  /** The last 200 events that were given up, the newest first. @throws `not_found` when there is no such webhook. */
  listDeadLetters(teamId: string, webhookId: string): Promise<DeadLetter[]>;

  // For finding the sandbox that a signed file URL was made for

  /**
   * The access tokens of secure sandboxes, running and paused, in the order in which they came; from the first one after
   * `after` on (0 for all), at most `limit`. Every token is listed before its sandbox is first answered to anyone, and
   * what came after a page was read lies after it. A token may be listed whose sandbox is gone: `locate` decides.
   */
  listAccessTokens(after: number, limit: number): Promise<AccessTokenPage>;

  // Nodes

  /** Registers a node, or keeps its lease alive, for `leaseMs` from the store's now. */
  renewLease(node: Omit<NodeRecord, "leaseExpiresAt">, leaseMs: number): Promise<NodeRecord>;
  /** Every node that was ever registered and not forgotten; a run-out lease shows in `leaseExpiresAt`. */
  listNodes(): Promise<NodeRecord[]>;
  /** The operator vouches that nothing runs there any more. Until it registers again; it need not ever have. */
  forgetNode(nodeId: string): Promise<void>;
  /** What `forgetNode` was told. */
  listForgottenNodes(): Promise<string[]>;
}

export interface StoreDescription {
  readonly kind: "sqlite" | "redis";
  /** For people: which of the modes of the specification is in force. */
  readonly durability: string;
}

export interface ExecutionKey {
  readonly teamId: string;
  readonly sandboxId: string;
  readonly executionId: string;
}

export interface NewSandboxRecord extends SandboxIdentity {
  readonly executionId: string;
  readonly nodeId: string;
  readonly metadata: Metadata;
  /** Milliseconds of life from the store's now. */
  readonly lifetimeMs: number;
  readonly egress: EgressPolicy;
  /** Milliseconds until the state `creating` is settled by asking the node. */
  readonly deadlineMs: number;
  readonly epoch: Epoch;
}

/** A manifest as its node reports it. */
export interface AdoptedSandbox extends SandboxIdentity {
  readonly executionId: string;
  readonly generation: number;
  readonly nodeId: string;
  readonly bootId: string;
  readonly startedAt: Micros;
  readonly metadata: { readonly value: Metadata; readonly revision: Revision };
  readonly endTime: { readonly value: Micros; readonly revision: Revision };
  readonly egress: { readonly value: EgressPolicy; readonly revision: Revision };
  readonly epoch: Epoch;
}

export type AdoptOutcome = "adopted" | "merged" | "known" | "tombstoned";

/** What has been heard of a record in an epoch. */
export interface Verification extends ExecutionKey {
  /** Its own node has reported; otherwise that was forgotten, and nothing is known of what it holds. */
  readonly ownNode: "reported" | "forgotten";
  /** Every other node has reported; otherwise the leases of those that have not have run out. */
  readonly fully: boolean;
}

export interface Transition extends ExecutionKey, Why {
  readonly from: readonly SandboxState[];
  readonly to: SandboxState;
  /** Milliseconds until a transitional state is settled; default 60,000. Of no meaning for the others. */
  readonly deadlineMs?: number;
  /** A new execution, on this or another node; its generation is above the record's. */
  readonly next?: { readonly executionId: string; readonly generation: number; readonly nodeId: string };
  /** Sets the end of life anew, in milliseconds from the store's now. */
  readonly lifetimeMs?: number;
  /** The team's limit, checked when the sandbox counts as concurrent after the change and did not before. */
  readonly maxConcurrent?: number;
  /** What the node confirmed with the start; with its boot id. */
  readonly confirmed?: { readonly bootId: string; readonly applied: AppliedRevisions };
  /** No event: for a return to running of a snapshot that was not made. */
  readonly quiet?: boolean;
}

/** What the event of a change says about its reason. */
export interface Why {
  /** Whose request it is; absent where nobody asked. */
  readonly apiKeyId?: string;
  /** Of an end. Default `unknown`. */
  readonly cause?: EndCause;
}

export interface EventQuery {
  readonly order: "asc" | "desc";
  /** Only events beyond this one, in the order asked for. */
  readonly after?: EventId;
  /** 1 to 1,000. */
  readonly limit: number;
  /** Events to leave out at the beginning; default 0. */
  readonly offset?: number;
  readonly sandboxId?: string;
  /** Default: all. */
  readonly types?: readonly LifecycleEventType[];
}

export interface EventPage {
  readonly events: readonly LifecycleEvent[];
  /** The event up to which everything was looked at; what was asked for as `after` when there was nothing. */
  readonly upTo?: EventId;
  /** There may be more beyond `upTo`. */
  readonly more: boolean;
}

export type WebhookChanges = Partial<Pick<Webhook, "name" | "url" | "enabled" | "types" | "signatureSecret">>;

/** The right to deliver for a webhook, and how far that is. */
export interface WebhookClaim {
  readonly webhook: Webhook;
  readonly owner: string;
  /** The event up to which everything was delivered, put among the retries or given up. */
  readonly cursor: EventId;
  readonly retries: readonly WebhookRetry[];
  /** The store's clock at the claim. */
  readonly now: Micros;
}

export interface WebhookOutcome {
  readonly cursor: EventId;
  readonly retries: readonly WebhookRetry[];
  readonly dead: readonly DeadLetter[];
  /** How long the claim goes on; 0 ends it. */
  readonly leaseMs: number;
}

interface LiveEdit {
  readonly teamId: string;
  readonly sandboxId: string;
  /** Unique per command; a command that is sent twice takes effect once. */
  readonly operationId: string;
  /** The epoch in which the request began. */
  readonly epoch: Epoch;
  /** Whose request it is; absent where nobody asked. */
  readonly apiKeyId?: string;
}

export interface MetadataEdit extends LiveEdit {
  readonly delta: MetadataDelta;
  readonly ifMatch?: Revision;
  readonly apiKeyId: string;
  /** The caller's own name for this command. */
  readonly idempotency?: Idempotency;
}

export interface EndTimeEdit extends LiveEdit {
  readonly lifetimeMs: number;
  /** `extend` never shortens. */
  readonly mode: "set" | "extend";
}

export interface EgressEdit extends LiveEdit {
  readonly policy: EgressPolicy;
}

/** The record as the edit left it, or found it when it had no effect. */
export interface LiveCommit {
  readonly record: SandboxRecord;
  readonly changed: boolean;
  /** The operation id or the idempotency key was known: this is the earlier outcome's record as it is now. */
  readonly replayed: boolean;
  /** What the command with this idempotency key ended with, as long as that is kept. */
  readonly outcome?: { readonly metadata: Metadata; readonly revision: Revision };
}

export interface HistoryQuery {
  /** Entries of the page: 1 to 1,000. */
  readonly limit: number;
  /** Only entries with a lower revision. */
  readonly before?: Revision;
}

export interface HistoryPage {
  readonly entries: readonly MetadataHistoryEntry[];
  /** The oldest revision that history tells of; absent when it tells of none. */
  readonly oldestRevision?: Revision;
}

export interface Confirmation extends ExecutionKey {
  readonly epoch: Epoch;
  readonly bootId: string;
  readonly applied: AppliedRevisions;
}

export interface AccessTokenPage {
  readonly tokens: readonly { readonly sandboxId: string; readonly token: string }[];
  /** The place of the last one, from which the next page goes on; `after` when the page is empty. */
  readonly upTo: number;
  /** How many there are in all. */
  readonly total: number;
  /** Places of another epoch mean nothing. */
  readonly epoch: Epoch;
}

export interface ListQuery {
  /** Public states; none means no sandbox. */
  readonly states: readonly ("running" | "paused")[];
  /** All of these tags must be there. */
  readonly filter: Metadata;
  readonly order: "asc" | "desc";
  readonly startedAfter?: Micros;
  /** A template's id, or the alias by which the creator named it. */
  readonly template?: string;
  /** 1 to 1,000. */
  readonly limit: number;
  /** The position after which the page begins. */
  readonly after?: ListPosition;
}

/** A place in a list: newest first is by start time descending, then id ascending; `asc` is the exact reverse. */
export interface ListPosition {
  readonly startedAt: Micros;
  readonly sandboxId: string;
}

export interface ListPage {
  readonly sandboxes: readonly SandboxRecord[];
  /** Where the next page begins; absent when there is none. */
  readonly next?: ListPosition;
}
