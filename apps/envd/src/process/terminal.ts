import { closeSync, constants, fchmodSync, fchownSync, openSync, writeSync } from "node:fs";
import { type Readable, Writable } from "node:stream";
import { errorCode } from "../filesystem/failure.ts";
import { ioctl } from "../libc.ts";

/** Columns and rows of a terminal, in characters. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** A pseudo-terminal: the daemon's end of it, and the command's. */
export interface Terminal {
  /** What is written to the screen. Ends when the command's side is closed. */
  readonly screen: Readable;
  /** What is typed. */
  readonly keyboard: Writable;
  /** File descriptor of the command's end. */
  readonly childEnd: number;
  resize(size: TerminalSize): void;
  /** Closes this process's copy of the command's end. */
  closeChildEnd(): void;
  /** Closes the daemon's end, which hangs up whoever still uses the terminal. */
  destroy(): void;
}

/** The numbers are the same on x64 and arm64. */
const requests = { setSize: 0x5414, number: 0x8004_5430, lock: 0x4004_5431 } as const;

/** Group that write(1) and the like belong to. */
const ttyGroup = 5;

/**
 * Opens a terminal that belongs to `uid`.
 *
 * @throws the error of `open` or SystemCallError where the system gives none, ENOSPC when it has given all.
 */
export function openTerminal(size: TerminalSize, uid: number): Terminal {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  const fd = openSync("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  let childEnd: number | undefined;
  try {
    ioctl(fd, requests.lock, Buffer.alloc(4));
    const number = Buffer.alloc(4);
    ioctl(fd, requests.number, number);
    childEnd = openSync(`/dev/pts/${number.readUInt32LE()}`, O_RDWR | O_NOCTTY);
    fchownSync(childEnd, uid, ttyGroup);
    fchmodSync(childEnd, 0o620);
    setSize(fd, size);
    return assemble(fd, childEnd);
  } catch (error) {
    closeSync(fd);
    if (childEnd !== undefined) closeSync(childEnd);
    throw error;
  }
}

function assemble(fd: number, childEnd: number): Terminal {
  const { ReadStream } = process.getBuiltinModule("node:tty");
  const screen = new ReadStream(fd);
  const keyboard = new Keyboard(fd, () => screen.destroyed);
  // From here on the descriptor is the stream's, which closes it.
  screen.once("close", () => keyboard.destroy());
  let isOpen = true;
  return {
    screen,
    keyboard,
    childEnd,
    resize(size) {
      if (!screen.destroyed) setSize(fd, size);
    },
    closeChildEnd() {
      if (isOpen) closeSync(childEnd);
      isOpen = false;
    },
    destroy() {
      screen.destroy();
    },
  };
}

function setSize(fd: number, { cols, rows }: TerminalSize): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(cols, 2);
  ioctl(fd, requests.setSize, size);
}

/** How long to wait for a command that does not read what is typed, at first and at most. */
const firstWaitMs = 2;
const longestWaitMs = 100;

/**
 * Writes to a terminal, of which the kernel takes some 4 KB at a time. Node's own stream would spin until the command
 * reads on, and the daemon with it.
 */
class Keyboard extends Writable {
  readonly #fd: number;
  readonly #isClosed: () => boolean;
  #retry: NodeJS.Timeout | undefined;

  constructor(fd: number, isClosed: () => boolean) {
    super();
    this.#fd = fd;
    this.#isClosed = isClosed;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#type(chunk, firstWaitMs, done);
  }

  #type(text: Buffer, waitMs: number, done: (error?: Error | null) => void): void {
    let rest = text;
    try {
      while (rest.length > 0) {
        // The number may be another file's by now.
        if (this.destroyed || this.#isClosed()) throw new Error("the terminal is closed");
        rest = rest.subarray(writeSync(this.#fd, rest));
      }
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      const nextMs = rest === text ? Math.min(waitMs * 2, longestWaitMs) : firstWaitMs;
      this.#retry = setTimeout(() => this.#type(rest, nextMs, done), waitMs);
      return;
    }
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#retry);
    done(error);
  }
}
