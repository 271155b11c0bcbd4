import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type NodeDescriptionSchema, type NodeRegisterResponse, RegistryService } from "@castellan/contracts/node";
import { CastellanError } from "@castellan/domain";
import { fromConnectError } from "@castellan/rpc";
import type { Logger } from "@castellan/telemetry";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Timing } from "../options.ts";
import { readNumber } from "../sandboxes/messages.ts";
import type { Journal } from "../state/journal.ts";

export interface RegistrationParts {
  /** Tried in turn; the one that answered last is asked first. */
  readonly controlPlaneUrls: readonly string[];
  readonly clusterToken: string;
  readonly journal: Journal;
  readonly describe: () => Promise<MessageInitShape<typeof NodeDescriptionSchema>>;
  readonly timing: Timing;
  readonly logger: Logger;
}

/** Milliseconds that the control plane may be silent before it counts as away, as long as it has named no lease. */
const assumedLeaseMs = 10_000;

/** Keeps the node's lease with the control plane alive: registers every third of it, for as long as it runs. */
export class Registration {
  readonly #parts: RegistrationParts;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** On the monotonic clock. Before the first success: when the node began. */
  #lastSuccess = performance.now();
  #leaseMs = assumedLeaseMs;
  #registeredAt: string | undefined;
  /** What has gone wrong since the last success: each is logged once. */
  readonly #failures = new Set<string>();

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#parts.controlPlaneUrls.length > 0) this.#running = this.#run();
  }

  /** Ends the loop and its connections. The lease runs out by itself. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Whether nothing has been heard of the control plane for longer than the lease, or there is none. */
  isControlPlaneAway(): boolean {
    return this.#parts.controlPlaneUrls.length === 0 || performance.now() - this.#lastSuccess > this.#leaseMs;
  }

  async #run(): Promise<void> {
    const { timing, logger, clusterToken } = this.#parts;
    const registries = this.#parts.controlPlaneUrls.map((url) => openRegistry(url, clusterToken, timing));
    const { signal } = this.#stopping;
    let backoffMs = timing.registerBackoffMs;
    try {
      while (!signal.aborted) {
        const [registry] = registries;
        if (registry === undefined) return;
        let waitMs: number;
        try {
          await this.#register(registry, signal);
          waitMs = this.#leaseMs / 3;
          backoffMs = timing.registerBackoffMs;
        } catch (error) {
          if (signal.aborted) return;
          this.#noteFailure(registry.url, fromConnectError(error));
          // The next in turn may be there.
          registries.push(...registries.splice(0, 1));
          waitMs = backoffMs * (0.5 + Math.random() / 2);
          backoffMs = Math.min(backoffMs * 2, timing.registerBackoffMaxMs);
        }
        await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      logger.fatal({ err: error }, "registration broke off");
    } finally {
      for (const { connection } of registries) connection.abort();
    }
  }

  async #register(registry: Registry, signal: AbortSignal): Promise<void> {
    const { journal, describe, timing } = this.#parts;
    const node = await describe();
    const answer = await registry.client.register(
      { node, epoch: BigInt(journal.state.epoch), highestRevision: BigInt(journal.state.highestRevision) },
      { signal, timeoutMs: timing.registerCallMs },
    );
    await this.#noteSuccess(registry.url, answer);
  }

  async #noteSuccess(url: string, { epoch, leaseMs }: NodeRegisterResponse): Promise<void> {
    const { journal, logger } = this.#parts;
    if (leaseMs === 0) throw new CastellanError("internal", "The control plane granted no lease");
    const known = journal.state.epoch;
    const told = readNumber(epoch, "epoch");
    // An answer may be older than what the node has heard meanwhile; the next registration tells of that.
    if (await journal.admitEpoch(told)) {
      if (told !== known) logger.info({ epoch: told, before: known }, "the store has a new epoch");
    }
    this.#lastSuccess = performance.now();
    this.#leaseMs = leaseMs;
    if (this.#registeredAt !== url || this.#failures.size > 0) logger.info({ url, leaseMs }, "node registered");
    this.#registeredAt = url;
    this.#failures.clear();
  }

  #noteFailure(url: string, error: CastellanError): void {
    const failure = `${url} ${error.code}`;
    if (this.#failures.has(failure)) return;
    this.#failures.add(failure);
    this.#parts.logger.warn({ err: error, url }, "cannot register with the control plane, trying on");
  }
}

interface Registry {
  readonly url: string;
  readonly client: ReturnType<typeof createClient<typeof RegistryService>>;
  readonly connection: Http2SessionManager;
}

function openRegistry(url: string, clusterToken: string, timing: Timing): Registry {
  const connection = new Http2SessionManager(url, { pingIntervalMs: timing.pingMs, pingIdleConnection: true });
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "2",
    sessionManager: connection,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${clusterToken}`);
        return next(request);
      },
    ],
  });
  return { url, client: createClient(RegistryService, transport), connection };
}
