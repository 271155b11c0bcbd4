import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { RunCommand } from "../host/command.ts";
import type { Slot } from "../slots.ts";

/**
 * The pair of interfaces that joins a sandbox to the host. runc makes the network namespace (one made outside would
 * belong to another user namespace) and its hook makes the pair inside, with the other end in the host's: moving an
 * interface between namespaces afterwards takes two to four times as long.
 */

/**
 * The hook's program. runc gives it the container's state as JSON; the pid is the first number of that name.
 * The other end goes to where this shell is. Naming the node's own process instead would now and then put it into some
 * sandbox: the process is inside one for an instant whenever it opens a connection there.
 */
export const hookScript = `#!/bin/sh
set -eu
device=$1 mtu=$2 address=$3 gateway=$4
read -r state || :
pid=\${state#*'"pid":'}
pid=\${pid%%[!0-9]*}
printf '%s\\n' \\
  "link add eth0 mtu $mtu type veth peer name $device mtu $mtu netns $$" \\
  "link set lo up" \\
  "addr add $address/31 dev eth0" \\
  "link set eth0 up" \\
  "route add default via $gateway" |
  nsenter --target "$pid" --net ip -batch -
`;

/** The hook's arguments, the name of the program first. */
export function hookArguments(slot: Slot, mtu: number): string[] {
  return ["wire-network", slot.device, String(mtu), slot.address, slot.gateway];
}

/** Brings up the host's end, which the hook has made. */
export async function raiseHostSide(run: RunCommand, slot: Slot, signal?: AbortSignal): Promise<void> {
  // No addresses of its own choosing: sandboxes speak IPv4 only.
  await writeFile(`/proc/sys/net/ipv6/conf/${slot.device}/disable_ipv6`, "1").catch(ignoreMissing);
  const input = `addr add ${slot.gateway}/31 dev ${slot.device}\nlink set ${slot.device} up\n`;
  await run("ip", ["-batch", "-"], { input, ...(signal === undefined ? {} : { signal }) });
}

/** Removes the pairs with these ends, whether or not they are there. */
export async function removeInterfaces(run: RunCommand, devices: readonly string[]): Promise<void> {
  if (devices.length === 0) return;
  const input = devices.map((device) => `link del ${device}\n`).join("");
  await run("ip", ["-force", "-batch", "-"], { input }).catch((error: unknown) => {
    // A pair also goes with the network of a sandbox that has ended, before or while ip looks for it.
    if (devices.some((device) => existsSync(`/sys/class/net/${device}`))) throw error;
  });
}

/** Kernels without IPv6 have no such file. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}
