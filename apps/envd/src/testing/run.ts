import type { Process } from "@castellan/contracts/process";
import type { Client } from "@connectrpc/connect";

/** What a command came to. */
export interface Result {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly status: string;
  readonly error: string | undefined;
  /** The kinds of events in the order of their arrival, runs of the same kind as one. */
  readonly order: string;
}

/** How to run a command. */
export interface RunOptions {
  readonly cwd?: string;
  readonly envs?: Record<string, string>;
  readonly stdin?: boolean;
  readonly tag?: string;
  readonly timeoutMs?: number;
  readonly headers?: Record<string, string>;
  readonly onPid?: (pid: number) => void;
}

/** Runs a shell command as clients do and gathers all of its events. */
export function run(client: Client<typeof Process>, script: string, options: RunOptions = {}): Promise<Result> {
  const { cwd, envs = {}, stdin = false, tag, timeoutMs, headers, onPid } = options;
  const events = client.start(
    {
      process: { cmd: "/bin/bash", args: ["-l", "-c", script], envs, ...(cwd !== undefined && { cwd }) },
      stdin,
      ...(tag !== undefined && { tag }),
    },
    { ...(timeoutMs !== undefined && { timeoutMs }), ...(headers && { headers }) },
  );
  return gather(events, onPid);
}

type Events = ReturnType<Client<typeof Process>["start"]> | ReturnType<Client<typeof Process>["connect"]>;

/** Reads a process's events to their end. */
export async function gather(events: Events, onPid?: (pid: number) => void): Promise<Result> {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  const kinds: string[] = [];
  let pid = 0;
  let end = { exitCode: 0, status: "none", error: undefined as string | undefined };
  for await (const { event } of events) {
    const happened = event?.event;
    if (happened?.case && kinds.at(-1) !== happened.case) kinds.push(happened.case);
    if (happened?.case === "start") {
      pid = happened.value.pid;
      onPid?.(pid);
    } else if (happened?.case === "data") {
      const { output } = happened.value;
      if (output.case === "stdout") stdout.push(output.value);
      if (output.case === "stderr") stderr.push(output.value);
    } else if (happened?.case === "end") {
      end = { exitCode: happened.value.exitCode, status: happened.value.status, error: happened.value.error };
    }
  }
  return {
    pid,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
    ...end,
    order: kinds.join(" "),
  };
}
