import { readdir, rm } from "node:fs/promises";
import { removeStaleDaemons } from "./daemon-directory.ts";
import { removeUnfinishedImages } from "./disk/blank-image.ts";
import { releaseLoopDevices } from "./disk/loop-device.ts";
import { unmountIfMounted } from "./disk/root-filesystem.ts";
import { type ExecutionRecord, readRecord } from "./execution-record.ts";
import { mountPointsBelow } from "./host/mounts.ts";
import { commandsStartedFor, isAlive, killAndWait } from "./host/process.ts";
import { egressRules } from "./network/egress.ts";
import { addSandboxScript, nodeScript, removeNodeScript } from "./network/ruleset.ts";
import { removeInterfaces } from "./network/wiring.ts";
import type { NodeHost } from "./node-host.ts";
import { directoryOf, type HeldExecution, openNetwork, type RunningExecution } from "./running-execution.ts";
import type { Slots } from "./slots.ts";

export interface Recovered {
  readonly running: readonly RunningExecution[];
  /** Dead, and something of them would not go; they hold their slots. */
  readonly stuck: readonly HeldExecution[];
}

/**
 * Takes over what still runs and clears everything else that carries the node's prefix or lies below its state
 * directory, whatever the earlier process was doing when it ended.
 */
export async function recoverExecutions(host: NodeHost, slots: Slots): Promise<Recovered> {
  const { logger, stateDir } = host.options;
  // First what is still at work for the earlier process: a runc could finish a start that is being cleared away.
  for (const command of await commandsStartedFor(stateDir)) await killAndWait(command, 30_000);

  const names = new Set([...(await readdir(host.executionsDirectory)), ...(await host.cgroups.list())]);
  const running: RunningExecution[] = [];
  const dead: Dead[] = [];
  for (const name of names) {
    const record = await readRecord(directoryOf(host, name));
    const taken = record?.executionId === name ? await takeOver(host, slots, record) : undefined;
    if (taken === undefined) dead.push({ name, record });
    else running.push(taken);
  }

  try {
    const stuck = await clearDead(host, slots, dead);
    await removeUnfinishedImages(stateDir);
    await clearInterfaces(host, new Set(running.map(({ slot }) => slot.device)));
    await restoreRules(host, running);
    const daemonsInUse = [host.daemonDirectory, ...running.map(({ record }) => record.daemonDirectory)];
    await removeStaleDaemons(stateDir, new Set(daemonsInUse));
    for (const { record, init } of running) {
      const { sandboxId, executionId } = record;
      logger.info({ sandboxId, executionId, pid: init.pid }, "running sandbox taken over");
    }
    return { running, stuck };
  } catch (error) {
    // Recovery may be tried again: what runs must not look dead then because its slot is taken.
    for (const { slot, network } of running) {
      slots.release(slot);
      await network.close();
    }
    throw error;
  }
}

interface Dead {
  readonly name: string;
  readonly record: ExecutionRecord | undefined;
}

/** @returns what would not go. */
async function clearDead(host: NodeHost, slots: Slots, dead: readonly Dead[]): Promise<HeldExecution[]> {
  const { logger } = host.options;
  const stuck: HeldExecution[] = [];
  for (const { name, record } of dead) {
    try {
      await clearRemains(host, name);
      logger.info({ executionId: name }, "remains of a sandbox cleared");
    } catch (error) {
      logger.error({ executionId: name, err: error }, "remains of a sandbox could not be cleared");
      const slot = record === undefined ? undefined : slots.takeNumber(record.slot);
      if (record !== undefined && slot !== undefined) stuck.push({ record, slot, directory: directoryOf(host, name) });
    }
  }
  return stuck;
}

async function takeOver(host: NodeHost, slots: Slots, record: ExecutionRecord): Promise<RunningExecution | undefined> {
  const { init } = record;
  if (init === undefined || !isAlive(init)) return undefined;
  const slot = slots.takeNumber(record.slot);
  if (slot === undefined) return undefined;
  try {
    const network = await openNetwork(init);
    return { record, slot, directory: directoryOf(host, record.executionId), init, network };
  } catch {
    // It died in between.
    slots.release(slot);
    return undefined;
  }
}

async function clearRemains(host: NodeHost, name: string): Promise<void> {
  const directory = directoryOf(host, name);
  await host.cgroups.remove(name);
  // Its record may be lost.
  for (const engine of Object.values(host.engines)) await engine.forget(name);
  for (const path of mountPointsBelow(directory)) await unmountIfMounted(path);
  await releaseLoopDevices(directory, 30_000);
  await rm(directory, { recursive: true, force: true });
}

async function clearInterfaces(host: NodeHost, kept: ReadonlySet<string>): Promise<void> {
  const ours = new RegExp(`^${host.options.devicePrefix}-[0-9a-f]+$`);
  const links = await readdir("/sys/class/net");
  const left = links.filter((name) => ours.test(name) && !kept.has(name));
  await removeInterfaces(host.run, left).catch((error: unknown) => {
    host.options.logger.error({ interfaces: left, err: error }, "network interfaces could not be removed");
  });
}

/** One transaction: a running sandbox is never without its rules. */
async function restoreRules(host: NodeHost, running: readonly RunningExecution[]): Promise<void> {
  for (const { slot, record } of running) host.filter.allow(slot.address, egressRules(record.egress).names);
  const scripts = [
    removeNodeScript(host.options.devicePrefix),
    nodeScript(host.network),
    ...running.map(({ slot, record }) => addSandboxScript(host.network, slot, egressRules(record.egress))),
  ];
  await host.firewall.apply(scripts.join(""));
}
