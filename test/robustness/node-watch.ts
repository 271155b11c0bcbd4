import { setTimeout as sleep } from "node:timers/promises";
import { NodeService } from "@castellan/contracts/node";
import { SandboxService } from "@castellan/contracts/sandbox";
import { metadataHash } from "@castellan/domain";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { tagsOf } from "./checker/sandbox-model.ts";
import type { Subject } from "./subject.ts";

/** Asks a node again and again what it runs, past everything that troubles its links, and notes it with the sandboxes. */
export class NodeWatch {
  readonly #nodeId: string;
  readonly #subjects: ReadonlyMap<string, Subject>;
  readonly #sessions: Http2SessionManager;
  readonly #transport;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(nodeId: string, url: string, clusterToken: string, subjects: ReadonlyMap<string, Subject>) {
    this.#nodeId = nodeId;
    this.#subjects = subjects;
    this.#sessions = new Http2SessionManager(url, { pingIntervalMs: 5_000, pingTimeoutMs: 2_000 });
    this.#transport = createConnectTransport({
      baseUrl: url,
      httpVersion: "2",
      sessionManager: this.#sessions,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${clusterToken}`);
          return next(request);
        },
      ],
    });
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sessions.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      // A node that is stopped or dead says nothing, which is no news.
      await this.#look().catch(() => undefined);
      await sleep(everyMs);
    }
  }

  async #look(): Promise<void> {
    const { epoch } = await createClient(NodeService, this.#transport).info({}, { timeoutMs: 3_000 });
    const call = performance.now();
    const list = await createClient(SandboxService, this.#transport).list(
      { epoch, includeManifests: true },
      { timeoutMs: 3_000 },
    );
    const end = performance.now();
    const seen = new Set<string>();
    for (const { sandboxId, executionId, applied, metadataHash: said, manifest } of list.sandboxes) {
      seen.add(sandboxId);
      const subject = this.#subjects.get(sandboxId);
      const entries = Object.entries(manifest?.metadata?.entries ?? {});
      if (subject === undefined) continue;
      subject.nodeId ??= this.#nodeId;
      if (subject.nodeId !== this.#nodeId) subject.complaints.push(`It runs on ${subject.nodeId} and ${this.#nodeId}`);
      subject.sightings.push({
        call,
        return: end,
        nodeId: this.#nodeId,
        executionId,
        revision: Number(applied?.metadata ?? 0n),
        text: tagsOf(entries).text,
        hashFits: Buffer.compare(said, metadataHash(new Map(entries))) === 0,
      });
    }
    for (const subject of this.#subjects.values()) {
      if (subject.nodeId === this.#nodeId && !seen.has(subject.sandboxId) && end < subject.killedAt) {
        subject.complaints.push(`At ${call.toFixed(2)} ${this.#nodeId} no longer ran it, and nobody had killed it`);
      }
    }
  }
}

const everyMs = 250;
