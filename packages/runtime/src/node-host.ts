import { existsSync } from "node:fs";
import { chmod, readFile, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CastellanError, type Isolation } from "@castellan/domain";
import { Cgroups } from "./cgroup/groups.ts";
import { currentCgroupLayout } from "./cgroup/layout.ts";
import { stageDaemon } from "./daemon-directory.ts";
import { BlankImages } from "./disk/blank-image.ts";
import { commandEnvironment, commandsOf, type RunCommand } from "./host/command.ts";
import { ensureDirectory } from "./host/directories.ts";
import { claimPrefix, giveUpOwnership, takeOwnership } from "./host/owner.ts";
import { raiseSharedLimits } from "./host/shared-limits.ts";
import { contains, formatIpv4Block, parseIpv4Block } from "./network/addresses.ts";
import { Firewall } from "./network/firewall.ts";
import { NameFilter } from "./network/names/name-filter.ts";
import { hostNameservers } from "./network/nameservers.ts";
import { hostRoutes } from "./network/routes.ts";
import { type NodeNetwork, nodeScript } from "./network/ruleset.ts";
import { hookScript } from "./network/wiring.ts";
import type { HostTraits } from "./oci/config.ts";
import type { Engine } from "./oci/engine.ts";
import { Runc } from "./oci/runc.ts";
import { Runsc } from "./oci/runsc.ts";
import type { RuntimeOptions } from "./sandbox-runtime.ts";

/** Everything of the host that the executions of one node share. */
export interface NodeHost {
  readonly options: RuntimeOptions;
  readonly run: RunCommand;
  readonly engines: Readonly<Record<Isolation, Engine>>;
  readonly images: BlankImages;
  readonly firewall: Firewall;
  readonly network: NodeNetwork;
  /** Lets sandboxes out by name. Closed with the runtime. */
  readonly filter: NameFilter;
  readonly cgroups: Cgroups;
  readonly traits: HostTraits;
  readonly mtu: number;
  /** The program that wires a sandbox's network, and its environment as `NAME=value`. */
  readonly hook: string;
  readonly hookEnvironment: readonly string[];
  readonly daemonDirectory: string;
  readonly executionsDirectory: string;
}

/**
 * Prepares directories, forwarding, firewall, cgroups and the kernel's shared limits. Turns `net.ipv4.ip_forward` on and
 * leaves it on: others may rely on it by the time this node ends.
 */
export async function prepareHost(options: RuntimeOptions): Promise<NodeHost> {
  const { stateDir } = options;
  const executionsDirectory = join(stateDir, "executions");
  // A sandbox's root is an ordinary user of the host and must be able to cross these to reach its own directory.
  for (const path of [stateDir, executionsDirectory]) await ensureDirectory(path, 0o711);
  await refuseClosedParents(stateDir);
  await takeOwnership(stateDir);
  try {
    return await prepareOwned(options, executionsDirectory);
  } catch (error) {
    await giveUpOwnership(stateDir);
    throw error;
  }
}

async function prepareOwned(options: RuntimeOptions, executionsDirectory: string): Promise<NodeHost> {
  const { stateDir, devicePrefix } = options;
  await claimPrefix(devicePrefix, stateDir);
  await refuseOverlap(options);
  const run = commandsOf(stateDir);
  const nameservers = options.nameservers ?? hostNameservers();
  const forbidden = (options.forbiddenOut ?? []).flatMap((entry) => parseIpv4Block(entry) ?? []);
  const closed = [...forbidden, ...[parseIpv4Block(options.subnet)].flatMap((block) => block ?? [])];
  const filter = await NameFilter.start({ nameservers, forbidden: closed, logger: options.logger });
  try {
    const network = { devicePrefix, subnet: options.subnet, nameservers, forbidden, filter: filter.ports };
    return await prepareWith(options, executionsDirectory, { run, network, filter });
  } catch (error) {
    await filter.close();
    throw error;
  }
}

async function prepareWith(
  options: RuntimeOptions,
  executionsDirectory: string,
  { run, network, filter }: Pick<NodeHost, "run" | "network" | "filter">,
): Promise<NodeHost> {
  const { stateDir, devicePrefix } = options;
  const firewall = new Firewall(run);
  const cgroups = new Cgroups(currentCgroupLayout(), devicePrefix);
  const hook = join(stateDir, "wire-network");
  const [daemonDirectory, mtu, openFilesLimit] = await Promise.all([
    stageDaemon(stateDir, options.daemon),
    uplinkMtu(),
    ownOpenFilesLimit(),
    writeFile("/proc/sys/net/ipv4/ip_forward", "1"),
    firewall.apply(nodeScript(network)),
    cgroups.prepare(),
    writeFile(hook, hookScript).then(() => chmod(hook, 0o700)),
  ]);
  // After the firewall, which brings the table of connections with it.
  const tight = await raiseSharedLimits();
  if (tight.length > 0) options.logger.warn({ tight }, "one sandbox can use up what the host has once");
  return {
    options,
    run,
    engines: { runc: new Runc(stateDir, run, openFilesLimit), gvisor: new Runsc(stateDir, run, options.runsc) },
    images: new BlankImages(stateDir, run),
    firewall,
    network,
    filter,
    cgroups,
    traits: {
      limitsSwap: cgroups.limitsSwap(),
      hasIpv6: existsSync("/proc/sys/net/ipv6"),
    },
    mtu,
    hook,
    hookEnvironment: Object.entries(commandEnvironment(stateDir)).map(([name, value]) => `${name}=${value}`),
    daemonDirectory,
    executionsDirectory,
  };
}

/** @throws `unavailable` when the disk below the state directory is nearly full: images promise more than they take. */
export async function admit({ options }: NodeHost): Promise<void> {
  const least = options.minimumFreeMb ?? 1024;
  const { bavail, bsize } = await statfs(options.stateDir);
  const freeMb = Math.floor((bavail * bsize) / (1024 * 1024));
  if (freeMb < least) {
    throw new CastellanError("unavailable", "The node has too little disk space for another sandbox", {
      cause: new Error(`${freeMb} MiB free, ${least} needed`),
    });
  }
}

/** @throws `invalid_argument` when a sandbox's root could not reach its directory. */
async function refuseClosedParents(stateDir: string): Promise<void> {
  for (let path = dirname(stateDir); ; path = dirname(path)) {
    const { mode } = await stat(path);
    if ((mode & 0o001) === 0) {
      throw new CastellanError("invalid_argument", `Sandboxes cannot cross ${path} to reach stateDir: chmod o+x it`);
    }
    if (path === dirname(path)) return;
  }
}

/** Addresses that the host already reaches elsewhere would be cut off from it, and sandboxes would answer in their name. */
async function refuseOverlap({ subnet, devicePrefix }: RuntimeOptions): Promise<void> {
  const ours = parseIpv4Block(subnet);
  for (const { device, block } of await hostRoutes()) {
    if (ours === undefined || block.prefix === 0 || device.startsWith(`${devicePrefix}-`)) continue;
    if (contains(ours, block) || contains(block, ours)) {
      const route = `${formatIpv4Block(block)} on ${device}`;
      throw new CastellanError("conflict", `The subnet ${subnet} overlaps the host's route to ${route}`);
    }
  }
}

/** A sandbox whose packets are larger than the way out loses time, or everything where ICMP is filtered. */
async function uplinkMtu(): Promise<number> {
  const uplink = (await hostRoutes()).find(({ block }) => block.prefix === 0);
  if (uplink === undefined) return 1500;
  const mtu = Number(await readFile(`/sys/class/net/${uplink.device}/mtu`, "utf8").catch(() => "1500"));
  return mtu >= 576 && mtu <= 9000 ? mtu : 1500;
}

async function ownOpenFilesLimit(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const hard = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? 4096);
  return Math.min(hard, 1_048_576);
}
