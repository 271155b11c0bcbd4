import { readFile, writeFile } from "node:fs/promises";

/**
 * Numbers that the kernel counts once for the whole host: with the usual ones, a single sandbox can take all and leave
 * nothing to the others and to the host. What is behind each is charged to the memory of the sandbox that takes it, which
 * is the limit that holds; connections are limited per sandbox by the firewall.
 */
const least: Readonly<Record<string, bigint>> = {
  "fs/aio-max-nr": 1n << 30n,
  "fs/file-max": (1n << 63n) - 1n,
  "kernel/pid_max": 4_194_304n,
  "kernel/pty/max": 1_048_576n,
  "kernel/threads-max": 4_194_304n,
  "net/netfilter/nf_conntrack_max": 1_048_576n,
};

/**
 * Raises what is lower, and leaves it raised: others may rely on it by the time this node ends.
 * @returns the names, as below `/proc/sys`, of what could not be raised.
 */
export async function raiseSharedLimits(): Promise<string[]> {
  const outcomes = await Promise.all(Object.entries(least).map(([name, value]) => raise(name, value)));
  return outcomes.flatMap((name) => name ?? []);
}

async function raise(name: string, value: bigint): Promise<string | undefined> {
  const path = `/proc/sys/${name}`;
  try {
    if (BigInt((await readFile(path, "utf8")).trim()) < value) await writeFile(path, String(value));
  } catch {
    return name;
  }
}
