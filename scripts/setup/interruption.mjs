import { Failure } from "./failure.mjs";

/**
 * Aborts once on SIGINT, SIGTERM or SIGHUP. npm passes on what the terminal has already sent to all of us, so a second
 * signal within the same moment is the same key press.
 */
export function interruptions() {
  const controller = new AbortController();
  const handlers = [];
  for (const [name, number] of [
    ["SIGHUP", 1],
    ["SIGINT", 2],
    ["SIGTERM", 15],
  ]) {
    const handler = () => controller.abort(new Interrupted(name, number));
    process.on(name, handler);
    handlers.push([name, handler]);
  }
  return {
    signal: controller.signal,
    /** Gives the signals back to their default action or to another handler. */
    stop() {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}

/** Set-up was ended by a signal; exits as a shell reports it. */
export class Interrupted extends Failure {
  constructor(name, number) {
    super(`Interrupted by ${name}. What was finished stays; the next start goes on from there.`);
    this.exitCode = 128 + number;
  }
}
