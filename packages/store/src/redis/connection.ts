import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { CastellanError, type Epoch, type Revision } from "@castellan/domain";
import { Redis } from "ioredis";
import { otherCluster } from "../cluster-name.ts";
import { decimal, list, text } from "../decoding.ts";
import type { StoreLogger } from "../options.ts";
import { staleEpoch } from "../refusals.ts";
import { isTimeout, redisError, unavailable } from "./errors.ts";
import { IdentityCache } from "./identity-cache.ts";
import { epochKey, teamEpochKey } from "./keys.ts";
import { openEpoch, raiseEpoch } from "./lua/loops.ts";
import { type Script, scripts } from "./lua/script.ts";
import { checkServer, durabilityOf, runIdOf, type ServerFacts, serverFacts, takesStrictScripts } from "./server.ts";

type Argument = string | number;

/** A command that has no answer by then has an unknown outcome. */
const commandTimeoutMs = 2000;
/** How long a new connection has until it must be verified. */
const handshakeTimeoutMs = 2 * commandTimeoutMs;
/** How long it waits before it connects anew to a server that it could not use. */
const verifyAgainMs = 500;
/** How often the epoch is looked at, so that another process's new one, or an emptied store, is noticed. */
const heartbeatMs = 1000;

/**
 * One connection to Redis. On every new connection, before any command of a caller, it compares the server's run id with
 * the one that the store's epoch belongs to, and loads the scripts. Nothing is ever sent twice: a command whose answer is
 * lost is rejected, and its caller decides.
 */
export class RedisConnection {
  readonly identities = new IdentityCache();
  readonly #redis: Redis;
  readonly #logger: StoreLogger;
  readonly #cluster: string;
  readonly #heartbeat: NodeJS.Timeout;
  /** Counts connections, so that what was begun on one does not act on the next. */
  #connections = 0;
  #verified = false;
  #form: "plain" | "strict" = "plain";
  #closed = false;
  #epoch: Epoch = 0;
  #run = "";
  /** The highest revision that this process has seen. */
  #highest: Revision = 0;
  #durability = "Redis, not yet connected";
  /** Why this server is refused, until another one is found there. */
  #refusal: CastellanError | undefined;
  /** The last thing that went wrong with the connection, for the log. */
  #failure: unknown;
  readonly #waiting = new Set<() => void>();
  readonly #listeners = new Set<(epoch: Epoch) => void>();

  constructor(url: string, logger: StoreLogger, cluster = "") {
    this.#logger = logger;
    this.#cluster = cluster;
    this.#redis = new Redis(url, {
      lazyConnect: true,
      connectTimeout: 2000,
      commandTimeout: commandTimeoutMs,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // Commands in flight are rejected at the first loss of the connection; without this they would wait for nothing.
      maxRetriesPerRequest: 0,
      disableClientInfo: true,
      // A primary that became a replica: look for the primary again. The failed command is not sent again.
      reconnectOnError: (error) => error.message.startsWith("READONLY"),
      retryStrategy: (attempt) => Math.min(25 * 2 ** attempt, 1000),
    });
    this.#redis.on("connect", () => this.#expectVerified());
    this.#redis.on("ready", () => void this.#verify());
    this.#redis.on("close", () => {
      this.#connections += 1;
      this.#verified = false;
    });
    this.#redis.on("error", (error: Error) => {
      this.#failure = error;
      logger.warn({ err: error }, "the connection to Redis failed");
    });
    this.#heartbeat = setInterval(() => void this.checkEpoch().catch(() => undefined), heartbeatMs).unref();
  }

  /** @throws `unavailable` when there is no verified connection within `timeoutMs`; `internal` when it is refused. */
  async open(timeoutMs: number): Promise<void> {
    this.#redis.connect().catch(() => undefined);
    await this.#ready(timeoutMs);
  }

  get durability(): string {
    return this.#durability;
  }

  /** The epoch that the connection has verified; to be read after a command or `ready`. */
  get epoch(): Epoch {
    return this.#epoch;
  }

  /** As the store's. */
  onEpoch(listener: (epoch: Epoch) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(): Promise<void> {
    return this.#ready(commandTimeoutMs);
  }

  /** Remembers revisions, so that a new epoch will be above them. */
  observe(...revisions: readonly Revision[]): void {
    this.#highest = Math.max(this.#highest, ...revisions);
  }

  /** Runs a script on one key's slot. @throws `unavailable`, `internal`. */
  run(script: Script, key: string, args: readonly Argument[]): Promise<unknown> {
    return this.#send(script, key, () => args);
  }

  /**
   * Runs a script that reads a team's slot, and answers with its list. `noteam` as the first element means that there is
   * no such team.
   * @throws `unavailable`, also when the store turns out to be a new one; `internal`.
   */
  readTeam(script: Script, teamId: string, args: readonly Argument[]): Promise<readonly unknown[]> {
    return this.#runTeam(script, teamId, () => args);
  }

  /** The same for a script that changes the slot: it gets the epoch, as it is when the script is sent, before `args`. */
  changeTeam(script: Script, teamId: string, args: readonly Argument[]): Promise<readonly unknown[]> {
    return this.#runTeam(script, teamId, () => [this.#epoch, ...args]);
  }

  /** Runs single commands. */
  async command<T>(send: (redis: Redis) => Promise<T>): Promise<T> {
    if (!this.#verified) await this.ready();
    try {
      return await send(this.#redis);
    } catch (error) {
      throw this.#failed(error, "command");
    }
  }

  async raiseEpoch(known: Epoch | Revision): Promise<Epoch> {
    const raised = await this.run(raiseEpoch, epochKey, [known]);
    if (raised === null) await this.checkEpoch();
    else this.#enter(decimal(raised));
    return this.#epoch;
  }

  /** Looks at the store's epoch, which another process may have raised; begins one where there is none. */
  async checkEpoch(): Promise<void> {
    if (!this.#verified) return;
    // The run id is that of the connection on which this is sent.
    const args = () => [this.#run, this.#run, Math.max(this.#epoch, this.#highest), this.#cluster];
    const opened = await this.#send(openEpoch, epochKey, args);
    if (opened === null) throw otherClusters();
    this.#enter(decimal(opened));
  }

  close(): void {
    this.#closed = true;
    this.#verified = false;
    clearInterval(this.#heartbeat);
    this.#redis.disconnect();
    this.#wake();
  }

  async #runTeam(script: Script, teamId: string, args: () => readonly Argument[]): Promise<readonly unknown[]> {
    const before = this.#epoch;
    const answer = list(await this.#send(script, teamEpochKey(teamId), args));
    if (answer[0] === "stale") {
      await this.checkEpoch();
      throw staleEpoch();
    }
    if (answer[0] === "noteam") {
      // Either there is no such team, or the store has lost everything and is a new one.
      await this.checkEpoch();
      if (this.#epoch !== before) throw staleEpoch();
    }
    return answer;
  }

  async #send(script: Script, key: string, args: () => readonly Argument[]): Promise<unknown> {
    if (!this.#verified) await this.ready();
    this.#gather();
    try {
      return await this.#redis.evalsha(script[this.#form].sha1, 1, key, ...args());
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw this.#failed(error, script.name);
    }
    // Somebody has emptied the server's script cache. Nothing has run, so running it now is not running it twice.
    return this.command((redis) => redis.eval(script[this.#form].source, 1, key, ...args()));
  }

  /**
   * Has what is sent in this turn leave as one write. Without it every command is a system call and a packet of its own,
   * which at 32 commands at once costs both sides about twice the CPU time.
   */
  #gather(): void {
    const { stream } = this.#redis;
    if (stream.writableCorked > 0) return;
    stream.cork();
    process.nextTick(() => stream.uncork());
  }

  /** A server that answers too late is given up with its connection: what comes after is tried on a new one. */
  #failed(error: unknown, what: string): CastellanError {
    if (isTimeout(error) && this.#verified) this.#giveUp();
    return redisError(error, what);
  }

  /** A connection on which nothing answers would otherwise stay for as long as TCP keeps it. */
  #expectVerified(): void {
    const connection = this.#connections;
    setTimeout(() => {
      if (connection === this.#connections && !this.#verified && !this.#closed) this.#giveUp();
    }, handshakeTimeoutMs).unref();
  }

  #giveUp(): void {
    const { stream } = this.#redis;
    if (stream.destroyed) return;
    this.#logger.warn({}, "Redis does not answer; connecting anew");
    stream.destroy();
  }

  async #ready(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.#verified) {
      if (this.#closed) throw unavailable("The store is closed");
      if (this.#refusal) throw this.#refusal;
      const left = deadline - performance.now();
      if (left <= 0) throw unavailable("Redis does not answer", this.#failure);
      await this.#woken(left);
    }
  }

  /** Resolves at the next change of the connection, or after so many milliseconds. */
  #woken(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#waiting.add(wake);
    });
  }

  async #verify(): Promise<void> {
    const redis = this.#redis;
    const connection = this.#connections;
    try {
      const facts = await serverFacts(redis);
      checkServer(facts);
      const form = takesStrictScripts(facts) ? "strict" : "plain";
      await Promise.all(scripts.map((script) => redis.script("LOAD", script[form].source)));
      const known = Math.max(this.#epoch, this.#highest);
      const run = runIdOf(facts);
      const opened = await redis.evalsha(openEpoch[form].sha1, 1, epochKey, run, this.#run, known, this.#cluster);
      if (opened === null) throw otherClusters();
      if (connection !== this.#connections || this.#closed) return;
      this.#form = form;
      this.#admit(facts, run, decimal(text(opened)));
    } catch (error) {
      if (connection !== this.#connections || this.#closed) return;
      this.#refusal = error instanceof CastellanError && error.code === "internal" ? error : undefined;
      this.#failure = error;
      this.#logger.error({ err: error }, "this Redis cannot be used");
      this.#wake();
      await sleep(verifyAgainMs, undefined, { ref: false });
      if (connection === this.#connections) redis.disconnect(true);
    }
  }

  #admit(facts: ServerFacts, run: string, epoch: Epoch): void {
    if (this.#run !== "" && this.#run !== run) this.#logger.warn({ runId: run }, "Redis is another incarnation now");
    this.#run = run;
    this.#durability = durabilityOf(facts);
    this.#refusal = undefined;
    this.#enter(epoch);
    this.#verified = true;
    this.#wake();
  }

  #enter(epoch: Epoch): void {
    if (epoch === this.#epoch) return;
    const before = this.#epoch;
    this.#logger.info({ epoch, before }, "the store's epoch");
    this.#epoch = epoch;
    if (before !== 0) for (const listener of this.#listeners) listener(epoch);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

function otherClusters(): CastellanError {
  return otherCluster("This Redis", `HDEL ${epochKey} cluster there.`);
}
