import { rm } from "node:fs/promises";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Removes what is at `path` (absolute, normalised) with all that is below it; a symbolic link and not its target. What
 * is not there is removed already.
 *
 * @throws ConnectError invalid_argument for the root directory; the error of `rm`.
 */
export async function removeTree(path: string, remove: typeof rm = rm): Promise<void> {
  if (path === "/") throw new ConnectError("refusing to remove the root directory", Code.InvalidArgument);
  await remove(path, { recursive: true, force: true });
}
