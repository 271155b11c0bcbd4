import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Isolation } from "@castellan/domain";
import type { ExecutionRecord } from "./execution-record.ts";
import type { ProcessIdentity } from "./host/process.ts";
import type { NodeHost } from "./node-host.ts";
import type { Execution } from "./sandbox-runtime.ts";
import type { Slot } from "./slots.ts";

/** An execution on its way through start, run and stop. */
export interface HeldExecution {
  readonly record: ExecutionRecord;
  readonly slot: Slot;
  readonly directory: string;
}

export interface RunningExecution extends HeldExecution {
  readonly init: ProcessIdentity;
  /** Its network namespace, held open so that it means this one for good. */
  readonly network: FileHandle;
}

export function directoryOf(host: NodeHost, executionId: string): string {
  return join(host.executionsDirectory, executionId);
}

export function isolationOf({ isolation = "runc" }: ExecutionRecord): Isolation {
  return isolation;
}

export async function openNetwork(init: ProcessIdentity): Promise<FileHandle> {
  return await open(`/proc/${init.pid}/ns/net`, "r");
}

export function describe({ record, slot, init }: RunningExecution): Execution {
  return {
    sandboxId: record.sandboxId,
    executionId: record.executionId,
    pid: init.pid,
    slot: slot.number,
    address: slot.address,
    isolation: isolationOf(record),
    startedAt: new Date(record.startedAt),
  };
}
