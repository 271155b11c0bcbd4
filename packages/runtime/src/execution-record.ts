import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type EgressPolicy, type Isolation, isIsolation } from "@castellan/domain";
import type { ProcessIdentity } from "./host/process.ts";

/** What a later process of the node must know of an execution. Written before the execution changes the host. */
export interface ExecutionRecord {
  readonly version: 1;
  readonly sandboxId: string;
  readonly executionId: string;
  readonly slot: number;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly egress: EgressPolicy;
  /** The directory that the sandbox mounts at `/.castellan`. */
  readonly daemonDirectory: string;
  /** Absent in records from before there was a choice: runc. */
  readonly isolation?: Isolation;
  /** Absent until it runs. */
  readonly init?: ProcessIdentity;
}

const fileName = "execution.json";

/** Replaces the record as a whole: a reader sees the old one or the new one. */
export async function writeRecord(directory: string, record: ExecutionRecord): Promise<void> {
  const path = join(directory, fileName);
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** @returns undefined when there is none that can be used. */
export async function readRecord(directory: string): Promise<ExecutionRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, fileName), "utf8"));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is ExecutionRecord {
  if (!isObject(value) || value["version"] !== 1) return false;
  const { egress, init, isolation } = value;
  return (
    [value["sandboxId"], value["executionId"], value["startedAt"], value["daemonDirectory"]].every(isString) &&
    typeof value["slot"] === "number" &&
    (isolation === undefined || isIsolation(isolation)) &&
    isObject(egress) &&
    isStrings(egress["allowOut"]) &&
    isStrings(egress["denyOut"]) &&
    (init === undefined ||
      (isObject(init) && typeof init["pid"] === "number" && isString(init["startTicks"]) && isString(init["bootId"])))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isString);
}
