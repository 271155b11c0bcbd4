import { chown, type FileHandle, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CastellanError, type Isolation } from "@castellan/domain";
import { assembleRoot, rootPaths } from "./disk/root-filesystem.ts";
import { openUserNamespace } from "./disk/user-namespace.ts";
import { type ExecutionRecord, writeRecord } from "./execution-record.ts";
import { makeDirectory } from "./host/directories.ts";
import { identify } from "./host/process.ts";
import { egressRules } from "./network/egress.ts";
import { addSandboxScript } from "./network/ruleset.ts";
import { hookArguments, raiseHostSide } from "./network/wiring.ts";
import type { NodeHost } from "./node-host.ts";
import { ociConfig } from "./oci/config.ts";
import { type HeldExecution, isolationOf, openNetwork, type RunningExecution } from "./running-execution.ts";
import type { ExecutionSpec } from "./sandbox-runtime.ts";
import { allSettled } from "./settled.ts";

/** Builds a sandbox and starts its init. A failure leaves what is there so far to `clearExecution`. */
export async function startExecution(
  host: NodeHost,
  spec: ExecutionSpec,
  held: HeldExecution,
  signal: AbortSignal,
): Promise<RunningExecution> {
  const { slot, directory, record } = held;
  const laps = stopwatch();
  await makeDirectory(directory, 0o710);
  await chown(directory, 0, slot.firstId);
  await writeRecord(directory, record);
  laps.lap("record");

  const userNamespace = openUserNamespace(slot.firstId, host.options.stateDir);
  let pid: number;
  try {
    await prepare(host, spec, held, userNamespace, laps);
    if (signal.aborted) throw new CastellanError("cancelled", "The start was given up");
    const start = { executionId: spec.executionId, bundle: directory, slot, mtu: host.mtu };
    pid = await host.engines[isolationOf(record)].start(start, signal);
  } finally {
    // The sandbox itself keeps it from here on.
    await userNamespace.then(
      (namespace) => namespace.close(),
      () => {},
    );
  }
  laps.lap("engine");
  const init = identify(pid);
  if (init === undefined) throw new CastellanError("internal", "The sandbox ended as it started");
  const network = await openNetwork(init);
  const running: ExecutionRecord = { ...record, init };
  try {
    await requireMemoryLimit(host, spec.executionId);
    // The daemon takes far longer to start than this.
    await raiseHostSide(host.run, slot, signal);
    await writeRecord(directory, running);
  } catch (error) {
    await network.close();
    throw error;
  }
  laps.lap("running");
  const { sandboxId, executionId } = record;
  host.options.logger.debug({ sandboxId, executionId, slot: slot.number, msAfterStart: laps.taken }, "sandbox started");
  return { ...held, record: running, init, network };
}

/** An engine that did not limit a sandbox would leave the machine's memory to it. */
async function requireMemoryLimit(host: NodeHost, executionId: string): Promise<void> {
  const usage = await host.cgroups.usage(executionId);
  if (usage?.memoryLimitBytes !== undefined) return;
  throw new CastellanError("internal", "The sandbox's memory is not limited");
}

/** All that the sandbox finds when it starts: its disk, its rules, its configuration. */
async function prepare(
  host: NodeHost,
  spec: ExecutionSpec,
  { slot, directory, record }: HeldExecution,
  userNamespace: Promise<FileHandle>,
  laps: Laps,
): Promise<void> {
  const disk = assembleRoot(host.images, {
    directory,
    slot,
    userNamespace,
    template: spec.rootfs,
    diskMb: spec.resources.diskMb,
    files: filesFor(host, spec, slot.address, isolationOf(record)),
  }).then(() => laps.lap("disk"));
  const rules = egressRules(record.egress);
  host.filter.allow(slot.address, rules.names);
  const firewall = host.firewall.apply(addSandboxScript(host.network, slot, rules)).then(() => laps.lap("firewall"));
  const configuration = userNamespace.then(async ({ fd }) => {
    const config = ociConfig({
      slot,
      userNamespacePath: `/proc/${process.pid}/fd/${fd}`,
      rootPath: rootPaths(directory).root,
      hostname: spec.hostname,
      resources: spec.resources,
      env: spec.env,
      cgroupPath: host.cgroups.pathOf(spec.executionId),
      daemonDirectory: host.daemonDirectory,
      hook: { program: host.hook, args: hookArguments(slot, host.mtu), env: host.hookEnvironment },
      host: host.traits,
    });
    const configured = host.engines[isolationOf(record)].configured(config);
    await writeFile(join(directory, "config.json"), JSON.stringify(configured), { mode: 0o600 });
  });
  // gVisor keeps the buffers of its sockets in its own memory, and runsc limits only groups that it makes itself.
  const sockets =
    isolationOf(record) === "gvisor"
      ? Promise.resolve()
      : host.cgroups.limitSockets(spec.executionId, spec.resources.memoryMb * 1024 * 1024);
  await allSettled([disk, firewall, configuration, sockets]);
}

/** The upper layer's own files. Without resolv.conf and hosts some servers wait seconds for a name. */
function filesFor(
  host: NodeHost,
  spec: ExecutionSpec,
  address: string,
  isolation: Isolation,
): ReadonlyMap<string, string> {
  const hosts = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", `${address} ${spec.hostname}`];
  return new Map([
    ["etc/hostname", `${spec.hostname}\n`],
    ["etc/hosts", `${hosts.join("\n")}\n`],
    ["etc/resolv.conf", host.network.nameservers.map((server) => `nameserver ${server}\n`).join("")],
    // Over an empty /tmp gVisor puts one in memory.
    ...(isolation === "gvisor" ? [["tmp/.on-disk", ""] as const] : []),
  ]);
}

type Laps = ReturnType<typeof stopwatch>;

/** Milliseconds from the beginning to the end of each step. */
function stopwatch() {
  const begun = performance.now();
  const taken: Record<string, number> = {};
  const lap = (step: string) => {
    taken[step] = Math.round((performance.now() - begun) * 10) / 10;
  };
  return { lap, taken };
}
