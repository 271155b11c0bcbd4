import type { components } from "@castellan/contracts/openapi";
import { ApiError, errorOf } from "./errors.ts";
import { readServerSentEvents } from "./server-sent-events.ts";

export type SandboxEvent = components["schemas"]["SandboxEvent"];
export type SandboxEventType = components["schemas"]["SandboxEventType"];

export interface EventsOptions {
  /** Only of this sandbox. */
  readonly sandboxId?: string;
  /** Default: all. */
  readonly types?: readonly SandboxEventType[];
  /** The id of the event after which to begin; `"0"` for all that are kept. Default: from now on. */
  readonly after?: string;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** Called when events that were asked for are no longer kept. */
  readonly onGap?: () => void;
}

/** How an event stream is asked for: the path with its query, and the headers. */
export type OpenStream = (
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<Response>;

/** A stream says something every 15 s; one that says nothing for so long is dead. */
const silentMs = 45_000;
const pauseMs = 1_000;

/**
 * What happens to the team's sandboxes, as it happens, until `signal` aborts or the caller stops. A connection that is
 * lost is made anew where it was, so that nothing is missed and nothing comes twice.
 * @throws ApiError when the service refuses: for a wrong key, or what makes no sense. What passes is waited for.
 */
export async function* followEvents(
  open: OpenStream,
  options: EventsOptions = {},
): AsyncGenerator<SandboxEvent, void, undefined> {
  const path = pathOf(options);
  let last = options.after;
  const ending = new AbortController();
  const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal]);
  try {
    while (!signal.aborted) {
      try {
        const headers = { Accept: "text/event-stream", ...(last !== undefined && { "Last-Event-ID": last }) };
        const response = await open(path, headers, signal);
        if (!response.ok) throw errorOf(response, await response.text());
        for await (const sent of readServerSentEvents(response, silentMs, signal)) {
          const start = /^following after (\d+)$/.exec(sent.comment ?? "")?.[1];
          // From now on means from the first connection on, also when nothing has come before it was lost.
          if (start !== undefined) last ??= start;
          if (sent.event === "gap") options.onGap?.();
          else if (sent.data !== undefined && sent.id !== undefined) {
            yield JSON.parse(sent.data);
            last = sent.id;
          }
        }
      } catch (error) {
        if (!signal.aborted && !isPassing(error)) throw error;
      }
      await pause(pauseMs, signal);
    }
  } finally {
    ending.abort();
  }
}

function pathOf({ sandboxId, types }: EventsOptions): string {
  const path = sandboxId === undefined ? "/events/sandboxes" : `/events/sandboxes/${encodeURIComponent(sandboxId)}`;
  return types === undefined || types.length === 0 ? path : `${path}?types=${types.join(",")}`;
}

function isPassing(error: unknown): boolean {
  // What is not ours is the connection's.
  return !(error instanceof ApiError) || error.status === 0 || error.status === 429 || error.status >= 500;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
