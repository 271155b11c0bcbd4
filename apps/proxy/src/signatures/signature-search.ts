import { timingSafeEqual } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { EdgeLimits } from "../limits.ts";
import { within } from "../within.ts";
import { type ListLiveTokens, type LiveToken, LiveTokens } from "./live-tokens.ts";
import type { SignedUrl } from "./signed-url.ts";

/** What a search ends with: the sandbox, or why there is none. */
export type Found =
  | { readonly sandboxId: string }
  | { readonly refused: "expired" | "unknown" | "too_many_sandboxes" }
  | { readonly refused: "too_often"; readonly retryAfterSeconds: number };

/** Tokens that are tried before others have their turn: about 2 ms. */
const tokensPerTurn = 1_000;
/** What a search costs at least: it may ask the store. */
const leastCost = 100;

/**
 * Finds the sandbox whose token a URL was signed with, by computing the signature for every token there is. The time that
 * it takes says nothing about which token matched. What it costs, one for each token, is limited per second for each
 * client and for all together.
 */
export class SignatureSearch {
  readonly #tokens: LiveTokens;
  readonly #limits: EdgeLimits;
  readonly #perClient: RateLimiterMemory;
  readonly #overall: RateLimiterMemory;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(list: ListLiveTokens, limits: EdgeLimits) {
    this.#tokens = new LiveTokens(list, limits.maxSearchedSandboxes);
    this.#limits = limits;
    this.#perClient = new RateLimiterMemory({ points: limits.searchesPerClient, duration: 1 });
    this.#overall = new RateLimiterMemory({ points: limits.searchesOverall, duration: 1 });
  }

  /** @throws `unavailable` when the store does not answer. */
  async find(url: SignedUrl, clientAddress: string): Promise<Found> {
    if (url.expiration !== undefined && url.expiration < Math.floor(Date.now() / 1000)) return { refused: "expired" };
    if (url.digest === undefined) return { refused: "unknown" };
    const wait = await this.#pay(clientAddress, Math.max(leastCost, this.#tokens.all.length));
    if (wait !== undefined) return { refused: "too_often", retryAfterSeconds: wait };

    if (this.#tokens.tooMany && performance.now() > this.#countedAt + 1_000) await this.#refresh();
    if (this.#tokens.tooMany) return { refused: "too_many_sandboxes" };
    const before = this.#tokens.all;
    const tried = before.length;
    const known = await match(url, url.digest, before, 0);
    if (known !== undefined) return { sandboxId: known };

    await this.#refresh();
    if (this.#tokens.tooMany) return { refused: "too_many_sandboxes" };
    const after = this.#tokens.all;
    const fresh = await match(url, url.digest, after, after === before ? tried : 0);
    return fresh === undefined ? { refused: "unknown" } : { sandboxId: fresh };
  }

  async #refresh(): Promise<void> {
    await within(this.#limits.locateTimeoutMs, "The store does not answer", this.#tokens.refresh());
    this.#countedAt = performance.now();
  }

  /** Seconds until there is enough again; `undefined` when there was. */
  async #pay(clientAddress: string, cost: number): Promise<number | undefined> {
    try {
      await this.#perClient.consume(networkOf(clientAddress), cost);
      await this.#overall.consume("all", cost);
      return undefined;
    } catch (error) {
      if (error instanceof RateLimiterRes) return Math.max(1, Math.ceil(error.msBeforeNext / 1000));
      throw error;
    }
  }
}

/** Tries every token from one on, whether or not one has matched. */
async function match(
  url: SignedUrl,
  digest: Buffer,
  tokens: readonly LiveToken[],
  from: number,
): Promise<string | undefined> {
  const until = tokens.length;
  let found: string | undefined;
  for (let i = from; i < until; i += 1) {
    if (i > from && (i - from) % tokensPerTurn === 0) await nextTurn();
    const one = tokens[i];
    if (one !== undefined && timingSafeEqual(digest, url.digestFor(one.token))) found = one.sandboxId;
  }
  return found;
}

/** One client has at least a /64 of IPv6 addresses to itself. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const behind = tail === "" ? 0 : tail.split(":").length;
    groups.push(...new Array(Math.max(0, 8 - groups.length - behind)).fill("0"), ...tail.split(":"));
  }
  return groups.slice(0, 4).join(":");
}
