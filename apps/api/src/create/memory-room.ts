import type { KnownNode } from "../nodes/directory.ts";

/** Share of a machine's memory that may really be in use when another sandbox is placed on it. */
const usableShare = 0.95;
const mib = 1024 * 1024;

/**
 * Whether a node can take another sandbox of this size: by what its sandboxes' limits add up to, and by what its machine
 * really uses. A node that does not say has room; it refuses by itself what it cannot take.
 */
export function hasMemoryFor({ record, starts }: KnownNode, memoryMb: number): boolean {
  const { capacity, usage } = record;
  const { memoryBytes: inUse = 0, sandboxMemoryBytes: promised = 0 } = usage;
  const { sandboxMemoryBytes: mayPromise = 0 } = capacity;
  if (inUse > 0 && capacity.memoryBytes > 0 && inUse > capacity.memoryBytes * usableShare) return false;
  // Starts that the node has not counted yet are taken to be as large as this one.
  const unreported = Math.max(0, starts.unreported - usage.starting);
  return mayPromise === 0 || promised + (unreported + 1) * memoryMb * mib <= mayPromise;
}
