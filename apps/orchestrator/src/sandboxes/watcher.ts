import type { DeletionCauseName } from "../state/records.ts";
import type { Execution } from "./execution.ts";

/** Follows the executions of a node from the moment at which they may be seen. No call may throw or reject. */
export interface ExecutionWatcher {
  began(execution: Execution, how: "started" | "adopted"): void;
  /** Its first process has ended by itself. */
  exited(execution: Execution, oomKilled: boolean): void;
  /** It is about to be stopped, and waits for this, which must not take long. */
  ending(execution: Execution): Promise<void>;
  /** Nothing is left of it. */
  ended(execution: Execution, cause: DeletionCauseName): void;
}

export const nobodyWatches: ExecutionWatcher = {
  began() {},
  exited() {},
  async ending() {},
  ended() {},
};
