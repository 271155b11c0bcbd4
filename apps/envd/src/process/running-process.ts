import type { ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Launched } from "./launch.ts";
import { type EndEvent, outcome } from "./outcome.ts";
import { Output } from "./output.ts";

/** Most input in bytes that may wait for a process that does not read. */
const maxPendingInput = 8 * 1024 * 1024;

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
  readonly #stdin: Writable | undefined;
  #exit: EndEvent | undefined;
  #drained = false;
  /** Whether what the command leaves behind is no longer waited for. */
  #cutShort = false;

  /** `lifetimeMs` is how long the process may live. Absent: as long as it likes. */
  constructor(launched: Launched, lifetimeMs: number | undefined) {
    this.pid = launched.pid;
    this.#child = launched.child;
    this.#stdin = launched.stdin;
    // A process that closes its input early is its own affair; the next write reports it.
    this.#stdin?.on("error", () => {});
    const { promise, resolve } = Promise.withResolvers<EndEvent>();
    this.ended = promise;
    this.#settle = resolve;
    this.output = new Output(launched.stdout, launched.stderr, () => {
      this.#drained = true;
      this.#endIfDone();
    });
    launched.child.once("exit", (code, signal) => {
      this.#exit = outcome(code, signal);
      this.#stdin?.destroy();
      if (this.#cutShort) this.output.closeSoon();
      this.#endIfDone();
    });
    // Where only what the command has put in the background is left by then, such as a server, that lives on.
    if (lifetimeMs !== undefined) this.#deadline = setTimeout(() => this.kill(), Math.max(1, lifetimeMs));
  }

  /**
   * Writes to the standard input and resolves when the process's pipe has taken it all.
   *
   * @throws ConnectError failed_precondition when the input is closed, resource_exhausted when the process leaves more
   * than 8 MiB unread.
   */
  async write(data: Uint8Array): Promise<void> {
    const stdin = this.#stdin;
    const closed = () => new ConnectError(`standard input of process ${this.pid} is closed`, Code.FailedPrecondition);
    if (!stdin?.writable) throw closed();
    if (data.byteLength === 0) return;
    if (stdin.writableLength + data.byteLength > maxPendingInput) {
      throw new ConnectError(`process ${this.pid} does not read its input`, Code.ResourceExhausted);
    }
    await new Promise<void>((resolve, reject) => {
      stdin.write(data, (error) => {
        if (error) reject(closed());
        else resolve();
      });
    });
  }

  /** Closes the standard input after what was written so far. Does nothing when it is closed already. */
  closeInput(): void {
    this.#stdin?.end();
  }

  /**
   * Sends a signal to the command itself, not to its children, and no longer waits for those: the process ends as soon
   * as the command has.
   */
  signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.#cutShort = true;
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

  #endIfDone(): void {
    if (!this.#exit || !this.#drained) return;
    clearTimeout(this.#deadline);
    this.output.end(this.#exit);
    this.#settle(this.#exit);
  }
}
