/** How a person or a service manager asks a running command to stop. */
export type StopKind = "interrupt" | "terminate";

export interface StopRequests {
  /** The first request. */
  readonly first: Promise<StopKind>;
  /** What the first request was, if there was one. */
  requested(): StopKind | undefined;
  /** Aborted at the first request, so that a start under way is given up. */
  readonly signal: AbortSignal;
  /** Calls the listener at the second request, which comes from somebody who does not want to wait. */
  onSecond(listener: () => void): void;
  /** Gives the signals back to their default action. */
  dispose(): void;
}

/** What signals arrive at: `process`, or what stands for it. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * npm, `npx` and wrappers pass on a Ctrl-C that the terminal has sent to everybody already. Two that arrive within this
 * many milliseconds are one key press.
 */
const sameKeyPressMs = 500;

/** Listens to SIGINT (Ctrl-C), SIGHUP (the terminal is gone; counts as Ctrl-C) and SIGTERM. */
export function listenForStops(source: SignalSource = process): StopRequests {
  const abort = new AbortController();
  const first = Promise.withResolvers<StopKind>();
  const secondListeners: (() => void)[] = [];
  let firstAt: number | undefined;
  let firstKind: StopKind | undefined;

  const request = (kind: StopKind): void => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      firstKind = kind;
      first.resolve(kind);
      abort.abort();
    } else if (now - firstAt >= sameKeyPressMs) {
      for (const listener of secondListeners) listener();
    }
  };
  const interrupt = (): void => request("interrupt");
  const terminate = (): void => request("terminate");
  source.on("SIGINT", interrupt);
  source.on("SIGHUP", interrupt);
  source.on("SIGTERM", terminate);

  return {
    first: first.promise,
    requested: () => firstKind,
    signal: abort.signal,
    onSecond: (listener) => secondListeners.push(listener),
    dispose: () => {
      source.off("SIGINT", interrupt);
      source.off("SIGHUP", interrupt);
      source.off("SIGTERM", terminate);
    },
  };
}
