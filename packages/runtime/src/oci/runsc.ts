import { readFile, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { hasCode } from "@castellan/domain";
import type { RunCommand } from "../host/command.ts";
import { dialAddress } from "../network/dial.ts";
import type { OciConfig } from "./config.ts";
import { type Engine, type EngineStart, type Reached, readPid, startFailure } from "./engine.ts";
import { gvisorConfig } from "./gvisor-config.ts";
import { forwardPort } from "./runsc-port-forward.ts";

/**
 * Makes the sandbox's network namespace with one end of a pair of interfaces in it, then becomes runsc inside. File 9
 * is the host's network namespace, for the other end. runsc takes the addresses and routes that it finds over into a
 * network stack of its own.
 *
 * Newer kernels show net.core in every network namespace; runsc knows the host's own by it, and refuses that one.
 */
const script = `
umask 022
exec 9</proc/self/ns/net
exec unshare --net --mount sh -euc '
device=$1 mtu=$2 address=$3 gateway=$4
shift 4
printf "%s\\n" \\
  "link add eth0 mtu $mtu type veth peer name $device mtu $mtu netns /proc/self/fd/9" \\
  "link set lo up" \\
  "addr add $address/31 dev eth0" \\
  "link set eth0 up" \\
  "route add default via $gateway" |
  ip -batch -
exec 9<&-
mount -t tmpfs none /proc/sys/net/core
exec "$@"
' runsc "$@"
`;

/** Starts sandboxes with gVisor's runsc; its own state is below `stateDir/runsc`. */
export class Runsc implements Engine {
  readonly #root: string;
  readonly #run: RunCommand;
  readonly #program: string;

  constructor(stateDir: string, run: RunCommand, program = "runsc") {
    this.#root = join(stateDir, "runsc");
    this.#run = run;
    this.#program = program;
  }

  configured(config: OciConfig): object {
    return gvisorConfig(config);
  }

  async start({ executionId, bundle, slot, mtu }: EngineStart, signal: AbortSignal): Promise<number> {
    const pidFile = join(bundle, "init.pid");
    const log = join(bundle, "runsc.log");
    const network = [slot.device, String(mtu), slot.address, slot.gateway];
    // What is written goes to the sandbox's own disk, where it is limited, and not to memory or a file of gVisor's.
    const flags = ["--platform=systrap", "--network=sandbox", "--overlay2=none"];
    const runsc = [this.#program, "--root", this.#root, "--log", log, ...flags];
    const run = ["run", "--detach", "--pid-file", pidFile, "--bundle", bundle, executionId];
    try {
      const options = { output: "discard", timeoutMs: 30_000, signal } as const;
      await this.#run("sh", ["-c", script, "runsc", ...network, ...runsc, ...run], options);
    } catch (error) {
      throw await startFailure(error, log);
    }
    return await readPid(pidFile);
  }

  /**
   * To the sandbox's address from outside; what refuses there may listen on the loopback, which only gVisor itself can
   * reach.
   */
  async connect({ executionId, address }: Reached, port: number, signal: AbortSignal | undefined): Promise<Socket> {
    try {
      return await dialAddress(address, port, signal);
    } catch (error) {
      if (!hasCode(error, "unavailable")) throw error;
    }
    return await forwardPort(await this.#controlSocket(executionId), executionId, port, signal);
  }

  async forget(executionId: string): Promise<void> {
    const socket = await this.#controlSocket(executionId).catch(() => undefined);
    if (socket !== undefined) await rm(socket, { force: true });
    for (const name of [
      `runsc-${executionId}.sock`,
      `${this.#stateName(executionId)}.state`,
      `${this.#stateName(executionId)}.lock`,
    ]) {
      await rm(join(this.#root, name), { force: true });
    }
  }

  /** runsc puts it elsewhere where the path below its root would be too long for a socket. */
  async #controlSocket(executionId: string): Promise<string> {
    const state: unknown = JSON.parse(
      await readFile(join(this.#root, `${this.#stateName(executionId)}.state`), "utf8"),
    );
    const sandbox = isObject(state) ? state["sandbox"] : undefined;
    const path = isObject(sandbox) ? sandbox["controlSocketPath"] : undefined;
    if (typeof path !== "string") throw new Error("runsc's state names no control socket");
    return path;
  }

  #stateName(executionId: string): string {
    return `${executionId}_sandbox:${executionId}`;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
