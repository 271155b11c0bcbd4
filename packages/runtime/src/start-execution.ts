import { chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";
import { assembleRoot, rootPaths } from "./disk/root-filesystem.ts";
import { type ExecutionRecord, writeRecord } from "./execution-record.ts";
import { makeDirectory } from "./host/directories.ts";
import { identify } from "./host/process.ts";
import { egressRules } from "./network/egress.ts";
import { addSandboxScript } from "./network/ruleset.ts";
import { hookArguments, raiseHostSide } from "./network/wiring.ts";
import type { NodeHost } from "./node-host.ts";
import { ociConfig } from "./oci/config.ts";
import { type HeldExecution, openNetwork, type RunningExecution } from "./running-execution.ts";
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

  const disk = assembleRoot(host.images, {
    directory,
    stateDir: host.options.stateDir,
    slot,
    template: spec.rootfs,
    diskMb: spec.resources.diskMb,
    files: filesFor(host, spec, slot.address),
  }).then(() => laps.lap("disk"));
  const firewall = host.firewall
    .apply(addSandboxScript(host.network, slot, egressRules(record.egress)))
    .then(() => laps.lap("firewall"));
  const config = ociConfig({
    slot,
    rootPath: rootPaths(directory).root,
    hostname: spec.hostname,
    resources: spec.resources,
    env: spec.env,
    cgroupPath: host.cgroups.pathOf(spec.executionId),
    daemonDirectory: host.daemonDirectory,
    hook: { program: host.hook, args: hookArguments(slot, host.mtu), env: host.hookEnvironment },
    host: host.traits,
  });
  const configFile = writeFile(join(directory, "config.json"), JSON.stringify(config), { mode: 0o600 });
  await allSettled([disk, firewall, configFile]);
  if (signal.aborted) throw new CastellanError("cancelled", "The start was given up");

  const pid = await host.runc.start(spec.executionId, directory, signal);
  laps.lap("runc");
  const init = identify(pid);
  if (init === undefined) throw new CastellanError("internal", "The sandbox ended as it started");
  const network = await openNetwork(init);
  const running: ExecutionRecord = { ...record, init };
  try {
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

/** The upper layer's own files. Without resolv.conf and hosts some servers wait seconds for a name. */
function filesFor(host: NodeHost, spec: ExecutionSpec, address: string): ReadonlyMap<string, string> {
  const hosts = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", `${address} ${spec.hostname}`];
  return new Map([
    ["etc/hostname", `${spec.hostname}\n`],
    ["etc/hosts", `${hosts.join("\n")}\n`],
    ["etc/resolv.conf", host.network.nameservers.map((server) => `nameserver ${server}\n`).join("")],
  ]);
}

/** Milliseconds from the beginning to the end of each step. */
function stopwatch() {
  const begun = performance.now();
  const taken: Record<string, number> = {};
  const lap = (step: string) => {
    taken[step] = Math.round((performance.now() - begun) * 10) / 10;
  };
  return { lap, taken };
}
