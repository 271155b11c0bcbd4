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
  readonly connect: (record: NodeRecord) => { readonly client: NodeClient; readonly updates: NodeUpdates };
}

export function createNodeDirectory({ store, logger, connect }: DirectoryOptions): NodeDirectory {
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
    for (const node of nodes.values()) {
      // One that registered here while the store was asked is not in its answer yet.
      if (present.has(node.nodeId) || !before.has(node.nodeId)) continue;
      logger.info({ nodeId: node.nodeId }, "node forgotten");
      disconnect(node);
      nodes.delete(node.nodeId);
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
