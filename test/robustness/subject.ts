import type { NodeSighting } from "./checker/node-view.ts";
import type { SandboxAction, SandboxOperation, Tags } from "./checker/sandbox-model.ts";

/** One sandbox and everything that was done to it. */
export class Subject {
  readonly sandboxId: string;
  readonly created: Tags;
  /** Milliseconds on this process's monotonic clock. */
  readonly createdAt: number;
  readonly operations: SandboxOperation[] = [];
  readonly sightings: NodeSighting[] = [];
  /** What nodes said that cannot be; see `NodeWatch`. */
  readonly complaints: string[] = [];
  /** The node that runs it, once it was seen. */
  nodeId: string | undefined;
  inFlight = 0;
  unknown = 0;
  isRetired = false;
  /** When the first DELETE was sent. */
  killedAt = Number.POSITIVE_INFINITY;
  /** The newest revision that a client was told. */
  revision = 0;

  constructor(sandboxId: string, created: Tags, createdAt: number) {
    this.sandboxId = sandboxId;
    this.created = created;
    this.createdAt = createdAt;
  }

  note(call: number, what: SandboxAction): void {
    const isUnknown = what.kind !== "read" && what.outcome.kind === "unknown";
    if (isUnknown && what.kind === "edit") this.unknown += 1;
    this.operations.push({ call, return: isUnknown ? Number.POSITIVE_INFINITY : performance.now(), what });
    if (what.kind !== "kill" && "revision" in what.outcome) {
      this.revision = Math.max(this.revision, what.outcome.revision);
    }
  }
}
