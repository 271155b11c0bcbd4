import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";
import { identify, isAlive, type ProcessIdentity } from "./process.ts";

const fileName = "owner.json";
/** Emptied by a reboot, as are the interfaces and cgroups that carry the prefixes. */
const prefixDirectory = "/run/castellan";

/** What this process owns; its own earlier claim is no reason to refuse after it was given up. */
const owned = new Set<string>();

/**
 * Takes the state directory for this process. Two owners would clear each other's sandboxes away.
 * @throws `conflict` while another live process owns it.
 */
export async function takeOwnership(stateDir: string): Promise<void> {
  const path = join(stateDir, fileName);
  const owner = parse(await readFile(path, "utf8").catch(() => ""));
  const other = owner !== undefined && owner.pid !== process.pid && isAlive(owner);
  if (other || owned.has(stateDir)) {
    throw new CastellanError("conflict", `${stateDir} is in use by process ${owner?.pid}`);
  }
  owned.add(stateDir);
  await writeFile(`${path}.new`, JSON.stringify(identify(process.pid)), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/**
 * Takes the prefix for the node with this state directory. Two nodes of one prefix would remove each other's interfaces.
 * @throws `conflict` while the state directory of another node that uses it exists.
 */
export async function claimPrefix(devicePrefix: string, stateDir: string): Promise<void> {
  await mkdir(prefixDirectory, { recursive: true, mode: 0o755 });
  const path = prefixPath(devicePrefix);
  const holder = await readFile(path, "utf8").catch(() => "");
  if (holder !== "" && holder !== stateDir && existsSync(holder)) {
    throw new CastellanError("conflict", `The device prefix ${devicePrefix} is in use by the node at ${holder}`);
  }
  await writeFile(`${path}.new`, stateDir, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function releasePrefix(devicePrefix: string): Promise<void> {
  await rm(prefixPath(devicePrefix), { force: true });
}

function prefixPath(devicePrefix: string): string {
  return join(prefixDirectory, `prefix-${devicePrefix}`);
}

export async function giveUpOwnership(stateDir: string): Promise<void> {
  await rm(join(stateDir, fileName), { force: true });
  owned.delete(stateDir);
}

function parse(text: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    if (!("pid" in value && "startTicks" in value && "bootId" in value)) return undefined;
    const { pid, startTicks, bootId } = value;
    if (typeof pid !== "number" || typeof startTicks !== "string" || typeof bootId !== "string") return undefined;
    return { pid, startTicks, bootId };
  } catch {
    return undefined;
  }
}
