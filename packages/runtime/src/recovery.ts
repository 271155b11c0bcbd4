import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { removeStaleDaemons } from "./daemon-directory.ts";
import { releaseLoopDevices } from "./disk/loop-device.ts";
import { unmountIfMounted } from "./disk/root-filesystem.ts";
import { readRecord } from "./execution-record.ts";
import { mountPointsBelow } from "./host/mounts.ts";
import { commandsStartedFor, isAlive, killAndWait } from "./host/process.ts";
import { egressRules } from "./network/egress.ts";
import { addSandboxScript, nodeScript, removeNodeScript } from "./network/ruleset.ts";
import { removeInterfaces } from "./network/wiring.ts";
import type { NodeHost } from "./node-host.ts";
import { openNetwork, type RunningExecution } from "./running-execution.ts";
import type { Slots } from "./slots.ts";

/**
 * Takes over what still runs and clears everything else that carries the node's prefix or lies below its state
 * directory, whatever the earlier process was doing when it ended.
 */
export async function recoverExecutions(host: NodeHost, slots: Slots): Promise<RunningExecution[]> {
  const { logger, stateDir, devicePrefix } = host.options;
  // First what is still at work for the earlier process: a runc could finish a start that is being cleared away.
  for (const command of await commandsStartedFor(stateDir)) await killAndWait(command, 10_000);

  const adopted: RunningExecution[] = [];
  const names = await readdir(host.executionsDirectory);
  for (const name of names) {
    const running = await adopt(host, slots, name);
    if (running !== undefined) adopted.push(running);
  }
  const kept = new Set(adopted.map(({ record }) => record.executionId));
  await clearGroups(host, kept);
  await clearMounts(host, kept);
  await clearInterfaces(host, new Set(adopted.map(({ slot }) => slot.device)));
  for (const name of names.filter((name) => !kept.has(name))) {
    await host.runc.forget(name);
    await rm(join(host.executionsDirectory, name), { recursive: true, force: true });
    logger.info({ executionId: name }, "remains of a sandbox cleared");
  }
  // One transaction: a running sandbox is never without its rules.
  await host.firewall.apply(
    [
      removeNodeScript(devicePrefix),
      nodeScript(host.network),
      ...adopted.map(({ slot, record }) => addSandboxScript(host.network, slot, egressRules(record.egress))),
    ].join(""),
  );
  await removeStaleDaemons(
    stateDir,
    new Set([host.daemonDirectory, ...adopted.map(({ record }) => record.daemonDirectory)]),
  );
  for (const { record, init } of adopted) {
    const { sandboxId, executionId } = record;
    logger.info({ sandboxId, executionId, pid: init.pid }, "running sandbox taken over");
  }
  return adopted;
}

async function adopt(host: NodeHost, slots: Slots, name: string): Promise<RunningExecution | undefined> {
  const directory = join(host.executionsDirectory, name);
  const record = await readRecord(directory);
  if (record === undefined || record.executionId !== name) return undefined;
  const { init } = record;
  if (init === undefined || !isAlive(init)) return undefined;
  const slot = slots.takeNumber(record.slot);
  if (slot === undefined) return undefined;
  const network = await openNetwork(init);
  return { record, slot, directory, init, network };
}

async function clearGroups(host: NodeHost, kept: ReadonlySet<string>): Promise<void> {
  for (const executionId of await host.cgroups.list()) {
    if (kept.has(executionId)) continue;
    await host.cgroups.remove(executionId);
    await host.runc.forget(executionId);
  }
}

async function clearMounts(host: NodeHost, kept: ReadonlySet<string>): Promise<void> {
  const keptDirectories = [...kept].map((name) => join(host.executionsDirectory, name));
  const isKept = (path: string) => keptDirectories.some((directory) => path.startsWith(`${directory}/`));
  for (const path of mountPointsBelow(host.options.stateDir)) if (!isKept(path)) await unmountIfMounted(path);
  for (const name of await readdir(host.executionsDirectory)) {
    if (!kept.has(name)) await releaseLoopDevices(join(host.executionsDirectory, name), 10_000);
  }
}

async function clearInterfaces(host: NodeHost, kept: ReadonlySet<string>): Promise<void> {
  const ours = new RegExp(`^${host.options.devicePrefix}-[0-9a-f]+$`);
  const links = await readdir("/sys/class/net");
  await removeInterfaces(
    host.run,
    links.filter((name) => ours.test(name) && !kept.has(name)),
  );
}
