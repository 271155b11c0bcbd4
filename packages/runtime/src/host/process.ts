import { closeSync, readdirSync, readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { idsPerSlot } from "../slots.ts";
import { ownerVariable } from "./command.ts";
import { pidfdOpen, pidfdSendSignal } from "./kernel.ts";

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from the machine's boot to the start of the process. */
  readonly startTicks: string;
  readonly bootId: string;
}

const kill = 9;

let boot: string | undefined;

/** Changes with every boot of the machine. */
export function bootId(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return boot;
}

/** @returns who has this number now; undefined if nobody, or one that is already dead. */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The second field is the program's name, which may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const startTicks = fields[19];
  if (state === "Z" || state === "X" || startTicks === undefined) return undefined;
  return { pid, startTicks, bootId: bootId() };
}

export function isAlive(process: ProcessIdentity): boolean {
  const now = identify(process.pid);
  return now !== undefined && now.startTicks === process.startTicks && now.bootId === process.bootId;
}

/** Kills the process and waits until it is dead. @returns whether it is dead after `timeoutMs`. */
export async function killAndWait(process: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  signalExactly(process, kill);
  for (let pause = 1; isAlive(process); pause = Math.min(pause * 2, 50)) {
    if (performance.now() > deadline) return false;
    await sleep(pause);
  }
  return true;
}

/** Sends the signal unless the number belongs to another process by now. */
function signalExactly(process: ProcessIdentity, signal: number): void {
  try {
    const pidfd = pidfdOpen(process.pid);
    try {
      // The descriptor is bound to a process first; then the question is whether that is the right one.
      if (isAlive(process)) pidfdSendSignal(pidfd, signal);
    } finally {
      closeSync(pidfd);
    }
  } catch (error) {
    if (isAlive(process)) throw error;
  }
}

/** The live host programs that a runtime with this state directory started, in this or an earlier process. */
export async function commandsStartedFor(stateDir: string): Promise<ProcessIdentity[]> {
  const entry = `${ownerVariable}=${stateDir}`;
  const found: ProcessIdentity[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // Sandboxes run under high ids; what they write into their environment is their own business.
    const owner = await stat(`/proc/${name}`).catch(() => undefined);
    if (owner === undefined || owner.uid >= idsPerSlot) continue;
    const environment = await readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
    if (!environment.split("\0").includes(entry)) continue;
    const identity = identify(Number(name));
    if (identity !== undefined) found.push(identity);
  }
  return found;
}
