import { spawn } from "node:child_process";
import { once } from "node:events";
import type { FileHandle } from "node:fs/promises";
import { open, writeFile } from "node:fs/promises";
import { commandEnvironment } from "../host/command.ts";
import { idsPerSlot } from "../slots.ts";

/**
 * Opens a user namespace in which id 0 is `firstId` outside. Only a process can make one: a short-lived one does, and
 * the descriptor keeps the namespace afterwards.
 *
 * It belongs to `firstId`: the kernel counts inotify instances and watches, message queues, pending signals and timers of
 * everyone inside against the owner outside. Made by root, all sandboxes would share root's allowance.
 */
export async function openUserNamespace(firstId: number, stateDir: string): Promise<FileHandle> {
  const owner = [`--reuid=${firstId}`, `--regid=${firstId}`, "--clear-groups"];
  // Where ordinary users may not make user namespaces, this capability lets it.
  const power = ["--inh-caps=+sys_admin", "--ambient-caps=+sys_admin"];
  const child = spawn("setpriv", [...owner, ...power, "unshare", "--user", "cat"], {
    env: commandEnvironment(stateDir),
    stdio: ["pipe", "pipe", "ignore"],
  });
  try {
    child.stdin.on("error", () => {});
    child.stdin.write("\n");
    // The echo comes from behind the change of namespace.
    await once(child.stdout, "data", { signal: AbortSignal.timeout(5000) });
    const map = `0 ${firstId} ${idsPerSlot}\n`;
    await writeFile(`/proc/${child.pid}/uid_map`, map);
    await writeFile(`/proc/${child.pid}/gid_map`, map);
    return await open(`/proc/${child.pid}/ns/user`, "r");
  } finally {
    child.kill("SIGKILL");
  }
}
