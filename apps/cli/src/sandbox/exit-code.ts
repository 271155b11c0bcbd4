import { constants } from "node:os";
import type { ProcessEvent_EndEvent } from "@castellan/contracts/process";

/** The exit code of `exec` itself when it is not the process's, as with ssh. */
export const execFailed = 255;
/** The command was ended at its time limit, as with timeout(1). */
export const execTimedOut = 124;
/** Nobody reads the output any more. */
export const execBrokenPipe = 128 + constants.signals.SIGPIPE;

/** What a shell would say: the process's exit code, or 128 and the number of the signal that ended it. */
export function exitCodeOf(end: Pick<ProcessEvent_EndEvent, "exited" | "exitCode" | "status">): number {
  if (end.exited) return end.exitCode & 0xff;
  const word = /signal: ?([a-z]+)/i.exec(end.status)?.[1]?.toLowerCase() ?? "";
  const number = signalWords.get(word);
  if (number !== undefined) return 128 + number;
  return end.exitCode > 0 ? end.exitCode & 0xff : execFailed;
}

/** By the first word that the C library uses, and by the kernel's name. */
const signalWords: ReadonlyMap<string, number> = new Map([
  ["hangup", constants.signals.SIGHUP],
  ["interrupt", constants.signals.SIGINT],
  ["quit", constants.signals.SIGQUIT],
  ["illegal", constants.signals.SIGILL],
  ["trace", constants.signals.SIGTRAP],
  ["aborted", constants.signals.SIGABRT],
  ["bus", constants.signals.SIGBUS],
  ["floating", constants.signals.SIGFPE],
  ["killed", constants.signals.SIGKILL],
  ["user", constants.signals.SIGUSR1],
  ["segmentation", constants.signals.SIGSEGV],
  ["broken", constants.signals.SIGPIPE],
  ["alarm", constants.signals.SIGALRM],
  ["terminated", constants.signals.SIGTERM],
  ...Object.entries(constants.signals).map(([name, number]): [string, number] => [name.toLowerCase(), number]),
]);
