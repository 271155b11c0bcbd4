import { setTimeout as sleep } from "node:timers/promises";
import type { SandboxStore } from "@castellan/store";
import { Failure, isUnavailable } from "../failure.ts";
import type { SupervisedNode } from "../node/supervise.ts";
import { baseTemplate } from "./preflight.ts";

const lookEveryMs = 50;
/** A node adopts what an earlier one left before it registers; with hundreds of sandboxes that takes a while. */
const giveUpAfterMs = 120_000;
const reportWithinMs = 10_000;
/** A process that ends this often before it was ever ready will not become so. */
const hopelessCrashes = 3;

/** The boots of the nodes that the store knows, by node id: what was there before a start. */
export async function knownBoots(store: SandboxStore): Promise<ReadonlyMap<string, string>> {
  return new Map((await store.listNodes()).map(({ nodeId, bootId }) => [nodeId, bootId]));
}

/**
 * Resolves when every node has registered and offers the base template.
 * @param before boots that do not count: the lease of an earlier process may still run.
 * @throws Failure when one does not start; the abort reason when `signal` aborts.
 */
export async function nodesReady(
  store: SandboxStore,
  nodes: readonly SupervisedNode[],
  before: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + giveUpAfterMs;
  while (true) {
    signal.throwIfAborted();
    const ready = await readyNodes(store, before);
    const missing = nodes.filter(({ nodeId }) => !ready.has(nodeId));
    if (missing.length === 0) return;
    const hopeless = missing.find((node) => node.crashes() >= hopelessCrashes);
    if (hopeless !== undefined) {
      throw new Failure(`Node ${hopeless.nodeId} does not start.`, { fix: "Its log, above, says why." });
    }
    if (performance.now() > deadline) {
      const names = missing.map(({ nodeId }) => nodeId).join(", ");
      throw new Failure(`No sign of ${names} after ${giveUpAfterMs / 1000} s.`, {
        fix: "The log, above, may say why.",
      });
    }
    await sleep(lookEveryMs, undefined, { signal });
  }
}

/**
 * Resolves when the nodes have reported the sandboxes that they took over: until then those of a node whose lease had run
 * out count as lost, and none takes an edit. A node that cannot account for one does not keep the installation from starting.
 */
export async function sandboxesBack(
  store: SandboxStore,
  nodes: readonly SupervisedNode[],
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + reportWithinMs;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const epoch = await store.epoch();
    const records = await Promise.all(nodes.map(({ nodeId }) => store.listOnNode(nodeId)));
    if (!records.flat().some((record) => record.state === "lost" || record.epoch !== epoch)) return;
    await sleep(lookEveryMs, undefined, { signal });
  }
}

async function readyNodes(store: SandboxStore, before: ReadonlyMap<string, string>): Promise<ReadonlySet<string>> {
  try {
    const [nodes, now] = await Promise.all([store.listNodes(), store.now()]);
    const ready = nodes.filter(
      ({ nodeId, bootId, leaseExpiresAt, templates }) =>
        bootId !== before.get(nodeId) &&
        leaseExpiresAt > now &&
        templates.some(({ templateId, aliases }) => [templateId, ...aliases].includes(baseTemplate)),
    );
    return new Set(ready.map(({ nodeId }) => nodeId));
  } catch (error) {
    // Not now is not never.
    if (isUnavailable(error)) return new Set();
    throw error;
  }
}
