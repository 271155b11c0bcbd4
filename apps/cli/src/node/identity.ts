import { readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { chooseHostShare, type HostShare } from "./host-share.ts";

/** Who a node is, and what it uses of its machine. */
export interface NodeIdentity extends HostShare {
  /** Unique in the cluster, stable over restarts. */
  readonly nodeId: string;
}

/**
 * The identity of the node whose state is in `stateDir`, an existing directory. Made once and kept there: a later
 * process can only adopt the sandboxes as the same node with the same names, addresses and ids.
 * @param wanted what the user asked for.
 * @param others nodes of this machine that may have made nothing visible yet.
 * @throws Failure when `wanted` contradicts what is kept, or what is kept cannot be read.
 */
export async function keepNodeIdentity(
  stateDir: string,
  wanted: { readonly [Name in keyof NodeIdentity]?: NodeIdentity[Name] | undefined } = {},
  others: readonly HostShare[] = [],
): Promise<NodeIdentity> {
  const path = join(stateDir, "identity.json");
  const kept = await readIdentity(path);
  if (kept !== undefined) {
    for (const name of ["nodeId", "devicePrefix", "subnet", "uidBase"] as const) {
      if (wanted[name] === undefined || wanted[name] === kept[name]) continue;
      throw new Failure(`The node in ${stateDir} was made with ${name} ${kept[name]}, not ${wanted[name]}.`, {
        fix: "Its sandboxes need the old value: leave the option out, or choose another directory with --data.",
      });
    }
    return kept;
  }
  const share = await chooseHostShare(stateDir, others);
  const identity: NodeIdentity = {
    nodeId: wanted.nodeId ?? `${hostLabel()}-${wanted.devicePrefix ?? share.devicePrefix}`,
    devicePrefix: wanted.devicePrefix ?? share.devicePrefix,
    subnet: wanted.subnet ?? share.subnet,
    uidBase: wanted.uidBase ?? share.uidBase,
  };
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(identity)}\n`, { mode: 0o600 });
  await rename(draft, path);
  return identity;
}

async function readIdentity(path: string): Promise<NodeIdentity | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  let identity: unknown;
  try {
    identity = JSON.parse(text);
  } catch {
    identity = undefined;
  }
  if (isIdentity(identity)) return identity;
  throw new Failure(`${path} does not hold a node's identity.`, {
    fix: "If no sandbox of this node runs any more, remove the file, and a new one is made.",
  });
}

function isIdentity(value: unknown): value is NodeIdentity {
  if (typeof value !== "object" || value === null) return false;
  const strings = ["nodeId", "devicePrefix", "subnet"];
  const fields = new Map(Object.entries(value));
  return strings.every((name) => typeof fields.get(name) === "string") && typeof fields.get("uidBase") === "number";
}

function hostLabel(): string {
  return (
    hostname()
      .replace(/[^a-zA-Z0-9._-]/g, "-")
      .slice(0, 48) || "node"
  );
}
