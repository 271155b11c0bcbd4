import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";
import type { RunCommand } from "../host/command.ts";

/**
 * A process mask that closes what runc makes would close it to the sandbox's own root too, who is an ordinary user here.
 *
 * The limits are inherited: setting them in the sandbox's user namespace, as runc would, takes a capability that a node
 * in a container may lack. A core limit of 1 also keeps the kernel from feeding dumps to a handler on the host.
 */
const start = 'files=$1; shift; umask 022; exec prlimit --nofile=$files:$files --core=1:1 runc "$@"';

/** Open files of one process. */
const openFiles = 65_536;

/** Starts containers with runc; its own state is below `stateDir/runc`. */
export class Runc {
  readonly #root: string;
  readonly #run: RunCommand;
  readonly #openFiles: number;

  /** `openFilesLimit` is the most that this process may grant. */
  constructor(stateDir: string, run: RunCommand, openFilesLimit: number) {
    this.#root = join(stateDir, "runc");
    this.#run = run;
    this.#openFiles = Math.min(openFiles, openFilesLimit);
  }

  /**
   * Creates and starts the container that `bundle/config.json` describes, detached.
   * @returns the pid of its init.
   * @throws `internal` with what runc logged as the cause, `deadline_exceeded`, `cancelled`.
   */
  async start(executionId: string, bundle: string, signal: AbortSignal): Promise<number> {
    const pidFile = join(bundle, "init.pid");
    const log = join(bundle, "runc.log");
    const args = ["--root", this.#root, "--log", log, "run", "--detach", "--pid-file", pidFile, "--bundle", bundle];
    try {
      // The container keeps runc's standard streams: pipes would end with this process, files could not be checkpointed.
      const options = { output: "discard", timeoutMs: 30_000, signal } as const;
      await this.#run("sh", ["-c", start, "runc", String(this.#openFiles), ...args, executionId], options);
    } catch (error) {
      const said = (await readFile(log, "utf8").catch(() => "")).slice(-4000);
      if (error instanceof CastellanError && error.code !== "internal") throw error;
      throw new CastellanError("internal", "The sandbox could not be started", {
        cause: new Error(said, { cause: error }),
      });
    }
    const pid = Number(await readFile(pidFile, "utf8"));
    if (!Number.isInteger(pid) || pid < 2) throw new CastellanError("internal", "runc gave no process id");
    return pid;
  }

  /** Forgets a container whose processes are dead. */
  async forget(executionId: string): Promise<void> {
    await rm(join(this.#root, executionId), { recursive: true, force: true });
  }
}
