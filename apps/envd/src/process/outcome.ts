import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ProcessEvent_EndEventSchema } from "@castellan/contracts/process";

export type EndEvent = MessageInitShape<typeof ProcessEvent_EndEventSchema>;

/**
 * How a process ended, in the words that clients know: "exit status 1", "signal: killed". `hint` is added to the error,
 * for what these words leave open.
 */
export function outcome(exitCode: number | null, signal: NodeJS.Signals | null, hint?: string): EndEvent {
  const explained = (status: string) => (hint === undefined ? status : `${status} (${hint})`);
  if (signal !== null) {
    const status = `signal: ${signalNames[signal] ?? signal}`;
    return { exitCode: -1, exited: false, status, error: explained(status) };
  }
  const code = exitCode ?? -1;
  const status = `exit status ${code}`;
  return { exitCode: code, exited: true, status, ...(code !== 0 && { error: explained(status) }) };
}

const signalNames: Partial<Record<NodeJS.Signals, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGQUIT: "quit",
  SIGILL: "illegal instruction",
  SIGTRAP: "trace/breakpoint trap",
  SIGABRT: "aborted",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGKILL: "killed",
  SIGUSR1: "user defined signal 1",
  SIGSEGV: "segmentation fault",
  SIGUSR2: "user defined signal 2",
  SIGPIPE: "broken pipe",
  SIGALRM: "alarm clock",
  SIGTERM: "terminated",
  SIGXCPU: "CPU time limit exceeded",
  SIGXFSZ: "file size limit exceeded",
  SIGSYS: "bad system call",
};
