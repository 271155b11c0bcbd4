import type { ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import { outOfMemoryKills } from "../cgroup.ts";
import type { Launched } from "./launch.ts";
import { type EndEvent, outcome } from "./outcome.ts";
import { Output } from "./output.ts";
import type { Terminal, TerminalSize } from "./terminal.ts";

/** Most input in bytes that may wait for a process that does not read. */
const maxPendingInput = 8 * 1024 * 1024;

/** What a shell ends with whose last command was killed. */
const exitCodeOfKilled = 137;

/**
 * A process that a client has started.
 *
 * It ends when the command has exited *and* its output is closed: what it left running in the background and still
 * holds the output is waited for, until the deadline or a signal cuts that short.
 */
export class RunningProcess {
  readonly pid: number;
  readonly output: Output;
  /** How it ended, once it has. Never rejects. */
  readonly ended: Promise<EndEvent>;
  readonly #child: ChildProcess;
  readonly #deadline: NodeJS.Timeout | undefined;
  readonly #settle: (end: EndEvent) => void;
  readonly #input: Writable | undefined;
  readonly #terminal: Terminal | undefined;
  readonly #killsBefore = outOfMemoryKills();
  #exit: EndEvent | undefined;
  #drained = false;
  /** Whether a client or the deadline has ended it. */
  #wasEnded = false;
  /** Whether what the command leaves behind is no longer waited for. */
  #cutShort = false;

  /** `lifetimeMs` is how long the process may live. Absent: as long as it likes. */
  constructor(launched: Launched, lifetimeMs: number | undefined) {
    this.pid = launched.pid;
    this.#child = launched.child;
    this.#input = launched.input;
    this.#terminal = launched.terminal;
    // A process that closes its input early is its own affair; the next write reports it.
    this.#input?.on("error", () => {});
    const { promise, resolve } = Promise.withResolvers<EndEvent>();
    this.ended = promise;
    this.#settle = resolve;
    this.output = new Output(launched.outputs, () => {
      this.#drained = true;
      this.#endIfDone();
    });
    launched.child.once("exit", (code, signal) => {
      this.#exit = outcome(
        code,
        signal,
        this.#ranOutOfMemory(code, signal) ? "the sandbox ran out of memory" : undefined,
      );
      this.#input?.destroy();
      if (this.#cutShort) this.output.closeSoon();
      this.#endIfDone();
    });
    // Where only what the command has put in the background is left by then, such as a server, that lives on.
    if (lifetimeMs !== undefined) this.#deadline = setTimeout(() => this.kill(), Math.max(1, lifetimeMs));
  }

  /**
   * Writes to the standard input or types on the terminal, whichever the process has, and resolves when the process's
   * pipe or terminal has taken it all.
   *
   * @throws ConnectError failed_precondition when the input is closed or of the other kind, resource_exhausted when the
   * process leaves more than 8 MiB unread.
   */
  async write(kind: "stdin" | "pty", data: Uint8Array): Promise<void> {
    const input = this.#input;
    const refused = (reason: string) => new ConnectError(`process ${this.pid} ${reason}`, Code.FailedPrecondition);
    if (this.#terminal && kind === "stdin") throw refused("has a terminal: send its input as pty, not as stdin");
    if (!this.#terminal && kind === "pty") throw refused("has no terminal: send its input as stdin, not as pty");
    const closed = () => refused("takes no input any more");
    if (!input?.writable) throw closed();
    if (data.byteLength === 0) return;
    if (input.writableLength + data.byteLength > maxPendingInput) {
      throw new ConnectError(`process ${this.pid} does not read its input`, Code.ResourceExhausted);
    }
    await new Promise<void>((resolve, reject) => {
      input.write(data, (error) => {
        if (error) reject(closed());
        else resolve();
      });
    });
  }

  /**
   * Closes the standard input after what was written so far. Does nothing when it is closed already.
   *
   * @throws ConnectError failed_precondition for a terminal, where Ctrl-D says the same.
   */
  closeInput(): void {
    if (this.#terminal) {
      throw new ConnectError("the input of a terminal cannot be closed: send Ctrl-D (0x04)", Code.FailedPrecondition);
    }
    this.#input?.end();
  }

  /** Changes the size of the terminal. @throws ConnectError failed_precondition for a process without one. */
  resize(size: TerminalSize): void {
    if (!this.#terminal) throw new ConnectError(`process ${this.pid} has no terminal`, Code.FailedPrecondition);
    this.#terminal.resize(size);
  }

  /**
   * Sends a signal to the command itself, not to its children, and no longer waits for those: the process ends as soon
   * as the command has.
   */
  signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.#cutShort = true;
    this.#wasEnded = true;
    if (this.#exit) this.output.closeSoon();
    else this.#child.kill(signal);
  }

  /** Ends the command and everything in its process group, at once. */
  kill(): void {
    this.signal("SIGKILL");
    if (this.#exit) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // Gone in this moment, or another user's by now.
    }
  }

  /** The kernel says how many it has killed, not which: one killed in the meantime, that nobody here has, counts. */
  #ranOutOfMemory(code: number | null, signal: NodeJS.Signals | null): boolean {
    const looksKilled = signal === "SIGKILL" || code === exitCodeOfKilled;
    return looksKilled && !this.#wasEnded && outOfMemoryKills() > this.#killsBefore;
  }

  #endIfDone(): void {
    if (!this.#exit || !this.#drained) return;
    clearTimeout(this.#deadline);
    this.output.end(this.#exit);
    this.#settle(this.#exit);
  }
}
