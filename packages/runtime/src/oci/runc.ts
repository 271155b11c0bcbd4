import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { RunCommand } from "../host/command.ts";
import { dial } from "../network/dial.ts";
import type { OciConfig } from "./config.ts";
import { type Engine, type EngineStart, type Reached, readPid, startFailure } from "./engine.ts";

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
export class Runc implements Engine {
  readonly #root: string;
  readonly #run: RunCommand;
  readonly #openFiles: number;

  /** `openFilesLimit` is the most that this process may grant. */
  constructor(stateDir: string, run: RunCommand, openFilesLimit: number) {
    this.#root = join(stateDir, "runc");
    this.#run = run;
    this.#openFiles = Math.min(openFiles, openFilesLimit);
  }

  configured(config: OciConfig): OciConfig {
    return config;
  }

  async start({ executionId, bundle }: EngineStart, signal: AbortSignal): Promise<number> {
    const pidFile = join(bundle, "init.pid");
    const log = join(bundle, "runc.log");
    const args = ["--root", this.#root, "--log", log, "run", "--detach", "--pid-file", pidFile, "--bundle", bundle];
    try {
      // The container keeps runc's standard streams: pipes would end with this process, files could not be checkpointed.
      const options = { output: "discard", timeoutMs: 30_000, signal } as const;
      await this.#run("sh", ["-c", start, "runc", String(this.#openFiles), ...args, executionId], options);
    } catch (error) {
      throw await startFailure(error, log);
    }
    return await readPid(pidFile);
  }

  async connect({ network, address }: Reached, port: number, signal: AbortSignal | undefined): Promise<Socket> {
    return await dial(network.fd, address, port, signal);
  }

  async forget(executionId: string): Promise<void> {
    await rm(join(this.#root, executionId), { recursive: true, force: true });
  }
}
