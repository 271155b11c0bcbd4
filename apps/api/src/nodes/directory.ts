import { CastellanError, type NodeRecord } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import type { Logger } from "@castellan/telemetry";
import type { NodeUpdates } from "../push/node-updates.ts";
import type { NodeClient } from "./node-client.ts";

/** A node that this process can talk to. */
export interface KnownNode {
  readonly nodeId: string;
  /** As it last registered. */
  readonly record: NodeRecord;
  readonly client: NodeClient;
  readonly updates: NodeUpdates;
  /** Starts that this process has asked of it and that its registration may not count yet. */
  readonly starts: StartCount;
}

/** Which nodes there are, kept from the store's list and from what registers here. */
export interface NodeDirectory {
  /** From memory. */
  all(): readonly KnownNode[];
  /** From memory. */
  peek(nodeId: string): KnownNode | undefined;
  /**
   * Asks the store when memory does not have it. `undefined`: no such node was registered, or it was forgotten.
   * @throws `unavailable` when that cannot be said.
   */
  find(nodeId: string): Promise<KnownNode | undefined>;
  /** The name itself, and every name of the templates that have it on any node; from memory. */
  templateNames(name: string): readonly string[];
  /** Asks the store for all nodes. */
  refresh(): Promise<void>;
  /** Takes a registration that has just been stored. */
  note(record: NodeRecord): void;
  close(): void;
}

export interface DirectoryOptions {
  readonly store: SandboxStore;
  readonly logger: Logger;
  /** Of a node whose registration the store has lost, in milliseconds. */
  readonly leaseMs: number;
  readonly connect: (record: NodeRecord) => { readonly client: NodeClient; readonly updates: NodeUpdates };
}

export function createNodeDirectory({ store, logger, leaseMs, connect }: DirectoryOptions): NodeDirectory {
  const nodes = new Map<string, KnownNode>();
  let refreshing: Promise<void> | undefined;
  let closed = false;

  const directory: NodeDirectory = {
    all: () => [...nodes.values()],
    peek: (nodeId) => nodes.get(nodeId),
    templateNames(name) {
      const templates = [...nodes.values()].flatMap((node) => node.record.templates);
      const names = templates.map(({ templateId, aliases }) => [templateId, ...aliases]);
      return [name, ...names.filter((one) => one.includes(name)).flat()];
    },
    async find(nodeId) {
      // An empty directory must not read as "forgotten".
      if (closed) throw new CastellanError("unavailable", "The control plane is closing");
      if (!nodes.has(nodeId)) await directory.refresh();
      return nodes.get(nodeId);
    },
    refresh() {
      refreshing ??= read().finally(() => {
        refreshing = undefined;
      });
      return refreshing;
    },
    note(record) {
      if (closed) return;
      const known = nodes.get(record.nodeId);
      if (known === undefined || known.record.address !== record.address) {
        if (known !== undefined) disconnect(known);
        nodes.set(record.nodeId, { nodeId: record.nodeId, record, ...connect(record), starts: new StartCount() });
        logger.info({ nodeId: record.nodeId, bootId: record.bootId, address: record.address }, "node known");
      } else if (record.leaseExpiresAt >= known.record.leaseExpiresAt) {
        if (record.leaseExpiresAt > known.record.leaseExpiresAt) known.starts.registered();
        nodes.set(record.nodeId, { ...known, record });
      }
    },
    close() {
      closed = true;
      for (const node of nodes.values()) disconnect(node);
      nodes.clear();
    },
  };
  return directory;

  async function read(): Promise<void> {
    const before = new Set(nodes.keys());
    const records = await store.listNodes();
    const present = new Set(records.map((record) => record.nodeId));
    for (const record of records) directory.note(record);
    // One that registered here while the store was asked is not in its answer yet.
    const missing = [...nodes.values()].filter(({ nodeId }) => !present.has(nodeId) && before.has(nodeId));
    if (missing.length === 0) return;
    const forgotten = new Set(await store.listForgottenNodes());
    for (const node of missing) {
      if (forgotten.has(node.nodeId)) {
        logger.info({ nodeId: node.nodeId }, "node forgotten");
        disconnect(node);
        nodes.delete(node.nodeId);
      } else {
        // Not forgotten by the operator but by the store: what it runs must be waited for.
        const { leaseExpiresAt: _lease, ...record } = node.record;
        directory.note(await store.renewLease(record, leaseMs));
        logger.warn({ nodeId: node.nodeId }, "the store had lost a node's registration");
      }
    }
  }

  function disconnect(node: KnownNode): void {
    node.updates.close();
    node.client.close();
  }
}

/** Counts starts between two registrations, so that a burst spreads although the nodes have not reported it yet. */
export class StartCount {
  #running = 0;
  #sinceRegistration = 0;

  get unreported(): number {
    return Math.max(this.#running, this.#sinceRegistration);
  }

  begin(): void {
    this.#running += 1;
    this.#sinceRegistration += 1;
  }

  end(): void {
    this.#running -= 1;
  }

  registered(): void {
    this.#sinceRegistration = this.#running;
  }
}
