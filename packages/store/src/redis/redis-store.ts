import type {
  ApiKey,
  DeadLetter,
  Epoch,
  Metadata,
  Micros,
  NodeRecord,
  Revision,
  SandboxRecord,
  Team,
  Webhook,
} from "@castellan/domain";
import { defaultPushGraceMs, type StoreOptions } from "../options.ts";
import { checkSandboxId, checkTeamId, noSuchTeam } from "../refusals.ts";
import type {
  AccessTokenPage,
  AdoptedSandbox,
  AdoptOutcome,
  Confirmation,
  EgressEdit,
  EndTimeEdit,
  EventPage,
  EventQuery,
  ExecutionKey,
  HistoryPage,
  HistoryQuery,
  ListPage,
  ListQuery,
  LiveCommit,
  MetadataEdit,
  NewSandboxRecord,
  SandboxStore,
  StoreDescription,
  Transition,
  Verification,
  WebhookChanges,
  WebhookClaim,
  WebhookOutcome,
  Why,
} from "../store.ts";
import { decodeApiKey, decodeTeam, encodeApiKey, encodeTeam } from "../teams.ts";
import { listAccessTokens } from "./access-tokens.ts";
import { RedisConnection } from "./connection.ts";
import * as edits from "./edits.ts";
import { listEvents } from "./events.ts";
import { metadataHistory } from "./history.ts";
import { apiKeyKey, sandboxTeamKey, teamEpochKey, teamKey } from "./keys.ts";
import * as life from "./life.ts";
import * as lists from "./lists.ts";
import * as recovery from "./recovery.ts";
import * as webhooks from "./webhooks.ts";
import * as work from "./work.ts";

/** How long opening waits for a server. */
const openTimeoutMs = 5000;

/**
 * Opens the store on the Redis server that `url` names.
 * @throws `unavailable` when it does not answer within 5 s; `internal` when it is too old, or may evict keys.
 */
export async function openRedisStore(url: string, options: StoreOptions): Promise<SandboxStore> {
  const connection = new RedisConnection(url, options.logger, options.cluster);
  try {
    await connection.open(openTimeoutMs);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new RedisStore(connection, (options.pushGraceMs ?? defaultPushGraceMs) * 1000);
}

class RedisStore implements SandboxStore {
  readonly #connection: RedisConnection;
  readonly #pushGrace: number;
  #lastNow: Micros = 0;

  constructor(connection: RedisConnection, pushGrace: number) {
    this.#connection = connection;
    this.#pushGrace = pushGrace;
  }

  describe(): StoreDescription {
    return { kind: "redis", durability: this.#connection.durability };
  }

  async epoch(): Promise<Epoch> {
    await this.#connection.ready();
    return this.#connection.epoch;
  }

  async now(): Promise<Micros> {
    const [seconds = 0, micros = 0] = await this.#connection.command((redis) => redis.time());
    this.#lastNow = Math.max(this.#lastNow, Number(seconds) * 1_000_000 + Number(micros));
    return this.#lastNow;
  }

  onEpoch(listener: (epoch: Epoch) => void): () => void {
    return this.#connection.onEpoch(listener);
  }

  raiseEpoch(known: Epoch | Revision): Promise<Epoch> {
    return this.#connection.raiseEpoch(known);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async putTeam(team: Team): Promise<void> {
    const { teamId } = team;
    checkTeamId(teamId);
    await work.expectWork(this.#connection, teamId, { push: 0, ends: 0, states: 0 });
    const epoch = String(this.#connection.epoch);
    await this.#connection.command((redis) => redis.set(teamEpochKey(teamId), epoch, "NX"));
    await this.#connection.command((redis) => redis.set(teamKey(teamId), encodeTeam(team)));
  }

  async putApiKey(key: ApiKey, keyHash: string): Promise<void> {
    if (!(await this.#connection.command((redis) => redis.exists(teamKey(key.teamId))))) throw noSuchTeam();
    await this.#connection.command((redis) => redis.set(apiKeyKey(keyHash), encodeApiKey(key)));
  }

  async findApiKey(keyHash: string): Promise<{ readonly key: ApiKey; readonly team: Team } | undefined> {
    const stored = await this.#connection.command((redis) => redis.get(apiKeyKey(keyHash)));
    if (stored === null) return undefined;
    const key = decodeApiKey(stored);
    const team = await this.#connection.command((redis) => redis.get(teamKey(key.teamId)));
    return team === null ? undefined : { key, team: decodeTeam(team) };
  }

  async create(sandbox: NewSandboxRecord, maxConcurrent: number): Promise<SandboxRecord> {
    checkSandboxId(sandbox.sandboxId);
    return life.create(this.#connection, sandbox, maxConcurrent);
  }

  get(teamId: string, sandboxId: string): Promise<SandboxRecord | undefined> {
    return lists.get(this.#connection, teamId, sandboxId);
  }

  async locate(sandboxId: string): Promise<SandboxRecord | undefined> {
    const teamId = await this.#teamOf(sandboxId);
    return teamId === undefined ? undefined : lists.get(this.#connection, teamId, sandboxId);
  }

  list(teamId: string, query: ListQuery): Promise<ListPage> {
    return lists.listSandboxes(this.#connection, teamId, query);
  }

  countRunning(teamId: string, filter: Metadata): Promise<number | undefined> {
    return lists.countRunning(this.#connection, teamId, filter);
  }

  transition(change: Transition): Promise<SandboxRecord> {
    return life.transition(this.#connection, change);
  }

  remove(execution: ExecutionKey, why?: Why): Promise<boolean> {
    return life.remove(this.#connection, execution, why);
  }

  async isTombstoned(sandboxId: string, executionId: string): Promise<boolean> {
    const teamId = await this.#teamOf(sandboxId);
    return teamId !== undefined && life.isTombstoned(this.#connection, teamId, sandboxId, executionId);
  }

  async adopt(sandbox: AdoptedSandbox): Promise<AdoptOutcome> {
    checkTeamId(sandbox.teamId);
    checkSandboxId(sandbox.sandboxId);
    const known = await this.locate(sandbox.sandboxId);
    return known && known.teamId !== sandbox.teamId ? "known" : recovery.adopt(this.#connection, sandbox);
  }

  verify(epoch: Epoch, records: readonly Verification[]): Promise<void> {
    return recovery.verify(this.#connection, epoch, records);
  }

  editMetadata(edit: MetadataEdit): Promise<LiveCommit> {
    return edits.editMetadata(this.#connection, edit, this.#pushGrace);
  }

  metadataHistory(teamId: string, sandboxId: string, query: HistoryQuery): Promise<HistoryPage | undefined> {
    return metadataHistory(this.#connection, teamId, sandboxId, query);
  }

  async editEndTime(edit: EndTimeEdit): Promise<LiveCommit> {
    const sooner = { ends: edit.lifetimeMs };
    if (edit.mode === "set") await work.expectWork(this.#connection, edit.teamId, sooner);
    const commit = await edits.editEndTime(this.#connection, edit, this.#pushGrace);
    // Again, as a look in between has put the team off.
    if (edit.mode === "set") await work.expectWork(this.#connection, edit.teamId, sooner);
    return commit;
  }

  editEgress(edit: EgressEdit): Promise<LiveCommit> {
    return edits.editEgress(this.#connection, edit, this.#pushGrace);
  }

  confirm(reports: readonly Confirmation[]): Promise<void> {
    return edits.confirm(this.#connection, reports);
  }

  listPushDue(limit: number): Promise<SandboxRecord[]> {
    return work.listDue(this.#connection, "push", limit);
  }

  deferPush(execution: ExecutionKey, delayMs: number): Promise<void> {
    return work.deferPush(this.#connection, execution, delayMs);
  }

  listEnded(limit: number): Promise<SandboxRecord[]> {
    return work.listDue(this.#connection, "ends", limit);
  }

  claimEnded(execution: ExecutionKey, to: "killing" | "pausing", deadlineMs: number) {
    return life.claimEnded(this.#connection, execution, to, deadlineMs);
  }

  listOverdue(limit: number): Promise<SandboxRecord[]> {
    return work.listDue(this.#connection, "states", limit);
  }

  listOnNode(nodeId: string): Promise<SandboxRecord[]> {
    return work.listOnNode(this.#connection, nodeId);
  }

  listEvents(teamId: string, query: EventQuery): Promise<EventPage> {
    return listEvents(this.#connection, teamId, query);
  }

  addWebhook(webhook: Omit<Webhook, "createdAt">): Promise<Webhook> {
    return webhooks.addWebhook(this.#connection, webhook);
  }

  listWebhooks(teamId: string): Promise<Webhook[]> {
    return webhooks.listWebhooks(this.#connection, teamId);
  }

  editWebhook(teamId: string, webhookId: string, changes: WebhookChanges): Promise<Webhook> {
    return webhooks.editWebhook(this.#connection, teamId, webhookId, changes);
  }

  removeWebhook(teamId: string, webhookId: string): Promise<boolean> {
    return webhooks.removeWebhook(this.#connection, teamId, webhookId);
  }

  claimWebhooks(owner: string, leaseMs: number, limit: number): Promise<WebhookClaim[]> {
    return webhooks.claimWebhooks(this.#connection, owner, leaseMs, limit);
  }

  settleWebhook(claim: WebhookClaim, outcome: WebhookOutcome): Promise<boolean> {
    return webhooks.settleWebhook(this.#connection, claim, outcome);
  }

  listDeadLetters(teamId: string, webhookId: string): Promise<DeadLetter[]> {
    return webhooks.listDeadLetters(this.#connection, teamId, webhookId);
  }

  listAccessTokens(after: number, limit: number): Promise<AccessTokenPage> {
    return listAccessTokens(this.#connection, after, limit);
  }

  renewLease(node: Omit<NodeRecord, "leaseExpiresAt">, leaseMs: number): Promise<NodeRecord> {
    return work.renewLease(this.#connection, node, leaseMs);
  }

  listNodes(): Promise<NodeRecord[]> {
    return work.listNodes(this.#connection);
  }

  forgetNode(nodeId: string): Promise<void> {
    return work.forgetNode(this.#connection, nodeId);
  }

  listForgottenNodes(): Promise<string[]> {
    return work.listForgottenNodes(this.#connection);
  }

  async #teamOf(sandboxId: string): Promise<string | undefined> {
    return (await this.#connection.command((redis) => redis.get(sandboxTeamKey(sandboxId)))) ?? undefined;
  }
}
