import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { Log } from "../log.ts";

/** One of a command's standard streams. */
export interface Pipe {
  /** The daemon's end. Destroying it releases the pipe. */
  readonly stream: Socket;
  /** File descriptor of the command's end. */
  readonly childEnd: number;
  /** Closes this process's copy of the command's end, once the command has its own or will never have one. */
  closeChildEnd(): void;
}

/**
 * Real pipes for commands. `spawn` would make socket pairs, on which `cat /dev/stdin`, `echo > /dev/stderr` and
 * `tee /dev/stdout` fail, and which make bash believe that a remote shell daemon has started it. Named pipes are no
 * better: opening one again waits when the other side has gone.
 *
 * Node cannot make pipes, but a shell does for every short here-document, and through /proc both ends of one can be
 * opened. A few are kept ready, so that commands do not wait for the shell. Every user may open them again, because a
 * command may change its user (sudo).
 */
export class PipePool {
  readonly #log: Log;
  readonly #ready: Ends[] = [];
  #shell: Shell | undefined;
  #refilling: Promise<boolean> | undefined;
  #warned = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Makes the first pipes. Never rejects. */
  async prepare(): Promise<void> {
    await this.#refill();
  }

  /** Closes the pipes that no command has. */
  dispose(): void {
    this.#shell?.end();
    for (const ends of this.#ready.splice(0)) close(ends);
  }

  /** A pipe that the command writes into, or undefined where the system cannot make pipes. */
  async openOutput(): Promise<Pipe | undefined> {
    const ends = await this.#take();
    return ends && pipe(new Socket({ fd: ends.read, readable: true, writable: false }), ends.write);
  }

  /** A pipe that the command reads from, or undefined where the system cannot make pipes. */
  async openInput(): Promise<Pipe | undefined> {
    const ends = await this.#take();
    return ends && pipe(new Socket({ fd: ends.write, readable: false, writable: true }), ends.read);
  }

  async #take(): Promise<Ends | undefined> {
    for (;;) {
      const ends = this.#ready.pop();
      if (this.#ready.length < lowWater) void this.#refill();
      if (ends) return ends;
      // Other commands may take all of a batch while this one waits for it.
      if (!(await this.#refill())) return undefined;
    }
  }

  /** Makes a batch, together with whoever else asks for one now. Returns whether that worked. */
  #refill(): Promise<boolean> {
    this.#refilling ??= this.#makeBatch().finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  async #makeBatch(): Promise<boolean> {
    // A shell that somebody has killed is no reason to do without; one that cannot do it is.
    for (let attempt = 1; ; attempt++) {
      try {
        if (!this.#shell?.alive) this.#shell = new Shell();
        this.#ready.push(...(await this.#shell.makePipes()));
        return true;
      } catch (err) {
        this.#shell?.end();
        this.#shell = undefined;
        if (attempt < maxAttempts) continue;
        if (!this.#warned) this.#log.warn({ err }, "no pipes can be made, commands get socket pairs");
        this.#warned = true;
        return false;
      }
    }
  }
}

/** File descriptors of the two ends of a pipe. */
interface Ends {
  readonly read: number;
  readonly write: number;
}

/** Below how many pipes more are made. Few are kept: the kernel limits a user's pipes over all sandboxes. */
const lowWater = 3;

/** Descriptors that a portable shell script can name, less the standard ones. */
const descriptors = [3, 4, 5, 6, 7, 8, 9];

const script = [
  "while read -r _; do",
  `exec ${descriptors.map((descriptor) => `${descriptor}<<E`).join(" ")}`,
  ...descriptors.flatMap(() => ["x", "E"]),
  "echo; done",
].join("\n");

const maxAttempts = 3;

/** How long the shell may take for a batch, and is kept for the next one. */
const batchMs = 5_000;
const idleMs = 2_000;

/** A shell that makes pipes when asked and ends soon after it was asked last. */
class Shell {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #idle: NodeJS.Timeout | undefined;
  /** What the batch that is being made waits for. */
  #pending: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;

  constructor() {
    this.#child = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "pipe", "ignore"], env: {} });
    this.#child.once("error", (error) => this.#fail(error));
    this.#child.stdin.on("error", (error) => this.#fail(error));
    this.#child.once("exit", () => this.#fail(new Error("the shell has ended")));
    this.#child.stdout.on("data", () => this.#pending?.resolve());
  }

  get alive(): boolean {
    return this.#failure === undefined && this.#child.stdin.writable;
  }

  /** @throws Error when the shell has ended, is stuck, or does not use pipes for here-documents. */
  async makePipes(): Promise<Ends[]> {
    if (this.#failure) throw this.#failure;
    clearTimeout(this.#idle);
    this.#pending = Promise.withResolvers();
    const giveUp = setTimeout(() => this.#fail(new Error("the shell does not answer")), batchMs);
    try {
      this.#child.stdin.write("\n");
      await this.#pending.promise;
    } finally {
      clearTimeout(giveUp);
    }
    this.#idle = setTimeout(() => this.end(), idleMs);
    const pipes: Ends[] = [];
    try {
      for (const descriptor of descriptors) pipes.push(openBothEnds(`/proc/${this.#child.pid}/fd/${descriptor}`));
      return pipes;
    } catch (error) {
      for (const ends of pipes) close(ends);
      throw error;
    }
  }

  end(): void {
    clearTimeout(this.#idle);
    this.#child.stdin.end();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#pending?.reject(error);
    this.#child.kill("SIGKILL");
    clearTimeout(this.#idle);
  }
}

function openBothEnds(path: string): Ends {
  takeDocument(path);
  const read = openSync(path, constants.O_RDONLY);
  try {
    fchmodSync(read, 0o666);
    return { read, write: openSync(path, constants.O_WRONLY) };
  } catch (error) {
    closeSync(read);
    throw error;
  }
}

/** Empties a pipe of the here-document, which also proves that it is one. */
function takeDocument(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const length = fstatSync(descriptor).isFIFO() ? readSync(descriptor, Buffer.alloc(16)) : 0;
    if (length !== "x\n".length) throw new Error("the shell keeps here-documents elsewhere than in pipes");
  } finally {
    closeSync(descriptor);
  }
}

function close({ read, write }: Ends): void {
  closeSync(read);
  closeSync(write);
}

function pipe(stream: Socket, childEnd: number): Pipe {
  let open = true;
  return {
    stream,
    childEnd,
    closeChildEnd: () => {
      if (open) closeSync(childEnd);
      open = false;
    },
  };
}
