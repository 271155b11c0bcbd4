import type { SandboxManifest } from "@castellan/contracts/sandbox";
import type { Logger } from "@castellan/telemetry";
import type { DeletionCauseName } from "../state/records.ts";
import { Alarm } from "./alarm.ts";

/** `ending`: being stopped; it leaves the node when that is done. */
export type Phase = "starting" | "running" | "ending";

export interface ExecutionParts {
  readonly manifest: SandboxManifest;
  readonly generation: number;
  readonly phase: Phase;
  readonly logger: Logger;
  /** Called at the execution's end time and whenever `checkAgainAt` says. */
  readonly onDue: (execution: Execution) => void;
}

/** One execution that this node starts, runs or ends. */
export class Execution {
  readonly sandboxId: string;
  readonly executionId: string;
  readonly generation: number;
  readonly manifest: SandboxManifest;
  readonly logger: Logger;
  /** Gives the start up. */
  readonly startAbort = new AbortController();
  /** Settles when the start has come to its end, well or not. */
  started: Promise<void> = Promise.resolve();
  /** How many callers wait for the start. */
  startWaiters = 0;
  /** Settles when the execution has ended; a failed attempt takes itself away. */
  ending: Promise<void> | undefined;
  /** What its daemon takes calls of the node for; absent until it is started, and where the record of it was lost. */
  daemonSecret: string | undefined;
  /** Why it ends; the first reason stays. */
  endCause: DeletionCauseName | undefined;
  readonly #alarm: Alarm;
  #phase: Phase = "starting";
  #seeded = false;
  #deadline = Number.POSITIVE_INFINITY;

  constructor({ manifest, generation, phase, logger, onDue }: ExecutionParts) {
    this.sandboxId = manifest.sandboxId;
    this.executionId = manifest.executionId;
    this.generation = generation;
    this.manifest = manifest;
    this.phase = phase;
    this.logger = logger.child({ sandboxId: this.sandboxId, executionId: this.executionId });
    this.#alarm = new Alarm(() => onDue(this));
  }

  /** Whether it may be seen: from the moment at which it runs, until it has left the node. */
  get seeded(): boolean {
    return this.#seeded;
  }

  get phase(): Phase {
    return this.#phase;
  }

  set phase(phase: Phase) {
    this.#phase = phase;
    this.#seeded ||= phase === "running";
  }

  /** The end time on the monotonic clock; infinity when there is none. */
  get deadline(): number {
    return this.#deadline;
  }

  set deadline(at: number) {
    this.#deadline = at;
    this.#alarm.set(at);
  }

  checkAgainAt(at: number): void {
    this.#alarm.set(at);
  }

  stopClock(): void {
    this.#alarm.off();
  }
}
