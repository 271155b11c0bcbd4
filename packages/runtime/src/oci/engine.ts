import { type FileHandle, readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { CastellanError } from "@castellan/domain";
import type { Slot } from "../slots.ts";
import type { OciConfig } from "./config.ts";

/** The part of a node in which isolations differ: how a sandbox's processes are started and reached. */
export interface Engine {
  /** The configuration as this engine needs it. */
  configured(config: OciConfig): object;
  /**
   * Creates and starts what `bundle/config.json` describes, detached; afterwards the slot's interface is on the host.
   * @returns the pid of the process that lives as long as the sandbox.
   * @throws `internal` with what the engine logged as the cause, `deadline_exceeded`, `cancelled`.
   */
  start(start: EngineStart, signal: AbortSignal): Promise<number>;
  /**
   * A TCP connection to a server on the sandbox's loopback or on its address.
   * @throws `unavailable` when nothing listens, `deadline_exceeded` after 5 s, `cancelled` on abort.
   */
  connect(reached: Reached, port: number, signal: AbortSignal | undefined): Promise<Socket>;
  /** Forgets a sandbox whose processes are dead; unknown ones are forgotten already. */
  forget(executionId: string): Promise<void>;
}

export interface EngineStart {
  readonly executionId: string;
  /** The directory with `config.json`; logs and the pid go there too. */
  readonly bundle: string;
  readonly slot: Slot;
  readonly mtu: number;
}

/** A running sandbox, as far as connections need to know it. */
export interface Reached {
  readonly executionId: string;
  /** Its network namespace on the host. */
  readonly network: FileHandle;
  readonly address: string;
}

/** What a start failed with, and what the engine had to say about it. */
export async function startFailure(error: unknown, log: string): Promise<CastellanError> {
  if (error instanceof CastellanError && error.code !== "internal") return error;
  const said = (await readFile(log, "utf8").catch(() => "")).slice(-4000);
  return new CastellanError("internal", "The sandbox could not be started", {
    cause: new Error(said, { cause: error }),
  });
}

export async function readPid(pidFile: string): Promise<number> {
  const pid = Number(await readFile(pidFile, "utf8"));
  if (!Number.isInteger(pid) || pid < 2) throw new CastellanError("internal", "The engine gave no process id");
  return pid;
}
