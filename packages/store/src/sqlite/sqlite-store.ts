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
import { text } from "../decoding.ts";
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
import { Database, type Synchronous } from "./database.ts";
import * as edits from "./edits.ts";
import { listEvents } from "./events.ts";
import { readHistory } from "./history.ts";
import * as life from "./life.ts";
import { countRunning, listSandboxes } from "./lists.ts";
import * as loops from "./loops.ts";
import { load, loadOfTeam } from "./records.ts";
import * as recovery from "./recovery.ts";
import * as webhooks from "./webhooks.ts";

export interface SqliteStoreOptions extends StoreOptions {
  /** Default `full`. */
  readonly synchronous?: Synchronous;
}

/**
 * Opens the store in the file at `path`, which is made when it is not there.
 * @throws `unavailable` when another process has it open; `internal` when it cannot be opened.
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions): Promise<SandboxStore> {
  const synchronous = options.synchronous ?? "full";
  const db = new Database(path, synchronous, undefined, options.failpoints);
  try {
    if (options.cluster !== undefined) db.belongTo(options.cluster, path);
  } catch (error) {
    db.close();
    throw error;
  }
  options.logger.info({ path, epoch: db.epoch, synchronous }, "opened the SQLite store");
  return new SqliteStore(db, synchronous, options);
}

/** The store over an open database; `openSqliteStore` opens both. */
export class SqliteStore implements SandboxStore {
  readonly #db: Database;
  readonly #synchronous: Synchronous;
  readonly #pushGrace: number;
  readonly #listeners = new Set<(epoch: Epoch) => void>();

  constructor(db: Database, synchronous: Synchronous, options: StoreOptions) {
    this.#db = db;
    this.#synchronous = synchronous;
    this.#pushGrace = (options.pushGraceMs ?? defaultPushGraceMs) * 1000;
  }

  describe(): StoreDescription {
    const survives =
      this.#synchronous === "full"
        ? "an acknowledged write survives the kill of any process and power loss"
        : "an acknowledged write survives the kill of any process; a power loss may take the last ones";
    return { kind: "sqlite", durability: `SQLite, WAL, synchronous=${this.#synchronous}: ${survives}` };
  }

  epoch(): Promise<Epoch> {
    return this.#db.read(() => this.#db.epoch);
  }

  now(): Promise<Micros> {
    return this.#db.read(() => this.#db.now());
  }

  onEpoch(listener: (epoch: Epoch) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async raiseEpoch(known: Epoch | Revision): Promise<Epoch> {
    const before = this.#db.epoch;
    const epoch = await this.#db.write(() => this.#db.raiseEpoch(known));
    if (epoch !== before) for (const listener of this.#listeners) listener(epoch);
    return epoch;
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  async putTeam(team: Team): Promise<void> {
    checkTeamId(team.teamId);
    const sql = "INSERT OR REPLACE INTO teams (team_id, team) VALUES (?, ?)";
    await this.#db.write(() => this.#db.run(sql, team.teamId, encodeTeam(team)));
  }

  async putApiKey(key: ApiKey, keyHash: string): Promise<void> {
    const sql = "INSERT OR REPLACE INTO api_keys (key_hash, team_id, api_key) VALUES (?, ?, ?)";
    await this.#db.write(() => {
      if (!this.#db.get("SELECT 1 FROM teams WHERE team_id = ?", key.teamId)) throw noSuchTeam();
      this.#db.run(sql, keyHash, key.teamId, encodeApiKey(key));
    });
  }

  findApiKey(keyHash: string): Promise<{ readonly key: ApiKey; readonly team: Team } | undefined> {
    const sql = "SELECT api_key, team FROM api_keys JOIN teams USING (team_id) WHERE key_hash = ?";
    return this.#db.read(() => {
      const row = this.#db.get(sql, keyHash);
      return row && { key: decodeApiKey(text(row["api_key"])), team: decodeTeam(text(row["team"])) };
    });
  }

  async create(sandbox: NewSandboxRecord, maxConcurrent: number): Promise<SandboxRecord> {
    checkSandboxId(sandbox.sandboxId);
    return this.#db.write(() => life.create(this.#db, sandbox, maxConcurrent));
  }

  get(teamId: string, sandboxId: string): Promise<SandboxRecord | undefined> {
    return this.#db.read(() => loadOfTeam(this.#db, teamId, sandboxId)?.record);
  }

  locate(sandboxId: string): Promise<SandboxRecord | undefined> {
    return this.#db.read(() => load(this.#db, sandboxId)?.record);
  }

  list(teamId: string, query: ListQuery): Promise<ListPage> {
    return listSandboxes(this.#db, teamId, query);
  }

  countRunning(teamId: string, filter: Metadata): Promise<number | undefined> {
    return this.#db.read(() => countRunning(this.#db, teamId, filter));
  }

  transition(change: Transition): Promise<SandboxRecord> {
    return this.#db.write(() => life.transition(this.#db, change));
  }

  remove(execution: ExecutionKey, why?: Why): Promise<boolean> {
    return this.#db.write(() => life.remove(this.#db, execution, why));
  }

  isTombstoned(sandboxId: string, executionId: string): Promise<boolean> {
    return this.#db.read(() => life.isTombstoned(this.#db, sandboxId, executionId));
  }

  async adopt(sandbox: AdoptedSandbox): Promise<AdoptOutcome> {
    checkTeamId(sandbox.teamId);
    checkSandboxId(sandbox.sandboxId);
    return this.#db.write(() => recovery.adopt(this.#db, sandbox));
  }

  async verify(epoch: Epoch, records: readonly Verification[]): Promise<void> {
    await this.#db.write(() => {
      for (const record of records) recovery.verify(this.#db, epoch, record);
    });
  }

  editMetadata(edit: MetadataEdit): Promise<LiveCommit> {
    return this.#db.write(() => edits.editMetadata(this.#db, edit, this.#pushGrace));
  }

  metadataHistory(teamId: string, sandboxId: string, query: HistoryQuery): Promise<HistoryPage | undefined> {
    return this.#db.read(() => {
      if (loadOfTeam(this.#db, teamId, sandboxId) === undefined) return undefined;
      return readHistory(this.#db, sandboxId, query);
    });
  }

  editEndTime(edit: EndTimeEdit): Promise<LiveCommit> {
    return this.#db.write(() => edits.editEndTime(this.#db, edit, this.#pushGrace));
  }

  editEgress(edit: EgressEdit): Promise<LiveCommit> {
    return this.#db.write(() => edits.editEgress(this.#db, edit, this.#pushGrace));
  }

  async confirm(reports: readonly Confirmation[]): Promise<void> {
    if (reports.length === 0) return;
    await this.#db.write(() => {
      for (const report of reports) edits.confirm(this.#db, report);
    });
  }

  listPushDue(limit: number): Promise<SandboxRecord[]> {
    return this.#db.read(() => loops.listPushDue(this.#db, limit));
  }

  deferPush(execution: ExecutionKey, delayMs: number): Promise<void> {
    return this.#db.write(() => loops.deferPush(this.#db, execution, delayMs));
  }

  listEnded(limit: number): Promise<SandboxRecord[]> {
    return this.#db.read(() => loops.listEnded(this.#db, limit));
  }

  claimEnded(execution: ExecutionKey, to: "killing" | "pausing", deadlineMs: number) {
    return this.#db.write(() => life.claimEnded(this.#db, execution, to, deadlineMs));
  }

  listOverdue(limit: number): Promise<SandboxRecord[]> {
    return this.#db.read(() => loops.listOverdue(this.#db, limit));
  }

  listOnNode(nodeId: string): Promise<SandboxRecord[]> {
    return this.#db.read(() => loops.listOnNode(this.#db, nodeId));
  }

  listEvents(teamId: string, query: EventQuery): Promise<EventPage> {
    return listEvents(this.#db, teamId, query);
  }

  addWebhook(webhook: Omit<Webhook, "createdAt">): Promise<Webhook> {
    return this.#db.write(() => webhooks.addWebhook(this.#db, webhook));
  }

  listWebhooks(teamId: string): Promise<Webhook[]> {
    return this.#db.read(() => webhooks.listWebhooks(this.#db, teamId));
  }

  editWebhook(teamId: string, webhookId: string, changes: WebhookChanges): Promise<Webhook> {
    return this.#db.write(() => webhooks.editWebhook(this.#db, teamId, webhookId, changes));
  }

  removeWebhook(teamId: string, webhookId: string): Promise<boolean> {
    return this.#db.write(() => webhooks.removeWebhook(this.#db, teamId, webhookId));
  }

  claimWebhooks(owner: string, leaseMs: number, limit: number): Promise<WebhookClaim[]> {
    return this.#db.write(() => webhooks.claimWebhooks(this.#db, owner, leaseMs, limit));
  }

  settleWebhook(claim: WebhookClaim, outcome: WebhookOutcome): Promise<boolean> {
    return this.#db.write(() => webhooks.settleWebhook(this.#db, claim, outcome));
  }

  listDeadLetters(teamId: string, webhookId: string): Promise<DeadLetter[]> {
    return this.#db.read(() => webhooks.listDeadLetters(this.#db, teamId, webhookId));
  }

  listAccessTokens(after: number, limit: number): Promise<AccessTokenPage> {
    return this.#db.read(() => listAccessTokens(this.#db, after, limit));
  }

  renewLease(node: Omit<NodeRecord, "leaseExpiresAt">, leaseMs: number): Promise<NodeRecord> {
    return this.#db.write(() => loops.renewLease(this.#db, node, leaseMs));
  }

  listNodes(): Promise<NodeRecord[]> {
    return this.#db.read(() => loops.listNodes(this.#db));
  }

  forgetNode(nodeId: string): Promise<void> {
    return this.#db.write(() => loops.forgetNode(this.#db, nodeId));
  }

  listForgottenNodes(): Promise<string[]> {
    return this.#db.read(() => loops.listForgottenNodes(this.#db));
  }
}
