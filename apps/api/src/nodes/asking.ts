import { CastellanError, type SandboxRecord } from "@castellan/domain";
import type { KnownNode, NodeDirectory } from "./directory.ts";

/**
 * The node that a sandbox is on, for a question to it.
 * @throws `unavailable` when it is not known, which says nothing about the sandbox.
 */
export async function nodeOf(directory: NodeDirectory, { sandboxId, nodeId }: SandboxRecord): Promise<KnownNode> {
  const node = await directory.find(nodeId);
  if (node === undefined) throw nodeSilent(sandboxId, undefined);
  return node;
}

/**
 * Unknown is not gone: a node that does not answer is no reason for "not found". Nor is the node to blame when it was the
 * caller who went away, as `signal` says.
 */
export function nodeSilent(sandboxId: string, cause: unknown, signal?: AbortSignal): CastellanError {
  if (signal?.aborted) return new CastellanError("cancelled", "The caller went away", { cause });
  return new CastellanError("unavailable", `The node of sandbox "${sandboxId}" does not answer`, {
    cause,
    retryAfterSeconds: 5,
  });
}
