import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Order } from "./processes/failpoint-hook.ts";

/** A process of the installation that can be killed, stopped and started again. It dies with this one. */
export class ServiceProcess {
  readonly name: string;
  readonly #program: string;
  readonly #settings: unknown;
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #onReached: (() => void) | undefined;

  constructor(name: string, program: "api" | "node", settings: unknown, logFile: string) {
    this.name = name;
    this.#program = fileURLToPath(new URL(`processes/${program}.ts`, import.meta.url));
    this.#settings = settings;
    this.#logFile = logFile;
  }

  /** Resolves once it serves. @throws when it ends before that, or takes more than a minute. */
  async start(): Promise<void> {
    const node = [process.execPath, "--conditions=source", "--disable-warning=ExperimentalWarning", this.#program];
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...node, JSON.stringify(this.#settings)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    child.stderr?.pipe(createWriteStream(this.#logFile, { flags: "a" }));
    this.#exited = new Promise((resolve) => child.once("exit", resolve));
    child.on("message", (message) => {
      if (typeof message === "object" && message !== null && "reached" in message) this.#onReached?.();
    });
    const ready = new Promise<"ready">((resolve) => {
      child.on("message", (message) => {
        if (typeof message === "object" && message !== null && "ready" in message) resolve("ready");
      });
    });
    const late = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), 60_000).unref());
    const first = await Promise.race([ready, this.#exited, late]);
    if (first !== "ready") throw new Error(`${this.name} did not start (${String(first)}): see ${this.#logFile}`);
  }

  get isAlive(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    if (this.isAlive) this.#child?.kill(name);
  }

  async end(name: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.signal(name);
    const force = setTimeout(() => this.signal("SIGKILL"), 20_000);
    await this.#exited;
    clearTimeout(force);
  }

  /** Gives it an order for a failpoint; whether it was reached within the time. */
  async order(order: Order, withinMs: number): Promise<boolean> {
    const reached = new Promise<boolean>((resolve) => {
      this.#onReached = () => resolve(true);
      setTimeout(() => resolve(false), withinMs);
    });
    // It may be dying just now.
    this.#child?.send?.(order, () => undefined);
    const was = await reached;
    this.#onReached = undefined;
    // A kill comes right after the word of it.
    if (was && order.action === "kill") await this.#exited;
    return was;
  }
}
