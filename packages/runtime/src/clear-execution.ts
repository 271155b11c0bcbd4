import { rm } from "node:fs/promises";
import { dismantleRoot } from "./disk/root-filesystem.ts";
import { killAndWait, type ProcessIdentity } from "./host/process.ts";
import { removeSandboxScript } from "./network/ruleset.ts";
import { removeInterfaces } from "./network/wiring.ts";
import type { NodeHost } from "./node-host.ts";
import { type HeldExecution, isolationOf } from "./running-execution.ts";

/**
 * Frees all that an execution uses on the host, from whatever point its start had reached; may be repeated.
 * @throws AggregateError with every step that failed; then the slot must not be used again.
 */
export async function clearExecution(host: NodeHost, held: HeldExecution, init?: ProcessIdentity): Promise<void> {
  const { directory, slot, record } = held;
  const failures: unknown[] = [];
  const step = (work: Promise<unknown>) => work.catch((error: unknown) => failures.push(error));

  // Its processes first: while they live, a later process of the node takes the execution over, and wholly.
  if (init !== undefined) await step(killAndWait(init, 30_000));
  host.filter.allow(slot.address, []);
  await step(host.cgroups.remove(record.executionId));
  await Promise.all([
    step(removeInterfaces(host.run, [slot.device])),
    step(host.firewall.apply(removeSandboxScript(host.network, slot))),
    step(host.engines[isolationOf(record)].forget(record.executionId)),
    step(dismantleRoot(directory)),
  ]);
  // The record goes last and only after all else: it is what a later process cleans up by.
  if (failures.length === 0) await step(rm(directory, { recursive: true, force: true }));
  if (failures.length > 0) throw new AggregateError(failures, `execution ${record.executionId} was not cleared`);
}
