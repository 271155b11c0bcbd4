import type { RunCommand } from "../host/command.ts";
import type { Slot } from "../slots.ts";

/**
 * The pair of interfaces that joins a sandbox to the host. The host's side is made before runc runs; runc makes the
 * network namespace, and its hook moves the other side in: a namespace made outside belongs to another user namespace.
 */

/** `ip -batch` for the host's side. */
export function hostSide(slot: Slot, mtu: number): string {
  return [
    `link add ${slot.device} mtu ${mtu} type veth peer name ${slot.peer} mtu ${mtu}`,
    `addr add ${slot.gateway}/31 dev ${slot.device}`,
    `link set ${slot.device} up`,
    "",
  ].join("\n");
}

/** `ip -batch` for the sandbox's side, once it is inside and called eth0. */
export function sandboxSide(slot: Slot): string {
  return [
    "link set lo up",
    `addr add ${slot.address}/31 dev eth0`,
    "link set eth0 up",
    `route add default via ${slot.gateway}`,
    "",
  ].join("\n");
}

/** The hook's program. runc gives it the container's state as JSON; the pid is the first number of that name. */
export const hookScript = `#!/bin/sh
# Usage: wire-network PEER BATCH
set -eu
read -r state || :
pid=\${state#*'"pid":'}
pid=\${pid%%[!0-9]*}
ip link set dev "$1" netns "$pid" name eth0
exec nsenter --target "$pid" --net ip -batch "$2"
`;

export async function addInterfaces(run: RunCommand, slot: Slot, mtu: number, signal?: AbortSignal): Promise<void> {
  await run("ip", ["-batch", "-"], { input: hostSide(slot, mtu), ...(signal === undefined ? {} : { signal }) });
}

/** Removes both sides, whether or not they are there. */
export async function removeInterfaces(run: RunCommand, devices: readonly string[]): Promise<void> {
  if (devices.length === 0) return;
  const input = devices.map((device) => `link del ${device}\n`).join("");
  await run("ip", ["-force", "-batch", "-"], { input }).catch((error: unknown) => {
    if (!onlyMissing(error)) throw error;
  });
}

function onlyMissing(error: unknown): boolean {
  const said = error instanceof Error && error.cause instanceof Error ? error.cause.message : "";
  const complaints = said.split("\n").filter((line) => line !== "" && !line.startsWith("Command failed"));
  return complaints.length > 0 && complaints.every((line) => line.includes("Cannot find device"));
}
