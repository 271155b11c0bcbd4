import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type CastellanClient } from "@castellan/client";

/** Between two looks at what is new, in milliseconds. */
const lookEveryMs = 1_000;

export interface Following {
  readonly follow: boolean;
  /** Between two looks, in milliseconds. */
  readonly everyMs?: number;
  /** Whether a sandbox that is paused still has something to show. Default: no. */
  readonly alsoPaused?: boolean;
  /** Ends the following. */
  readonly signal?: AbortSignal;
}

/**
 * Shows what there is and, where told to follow, what comes until the sandbox has ended: `show` prints what is new and is
 * called once more after the end, for the last words. A service that is away for a moment is waited for.
 * @throws ApiError when the first look fails.
 */
export async function follow(
  client: CastellanClient,
  sandboxId: string,
  show: () => Promise<void>,
  options: Following,
): Promise<void> {
  await show();
  if (!options.follow) return;
  for (;;) {
    if (options.signal?.aborted === true) return;
    const runs = await goesOn(client, sandboxId, options.alsoPaused ?? false);
    try {
      await show();
    } catch (error) {
      if (!(error instanceof ApiError) || !(runs && isPassing(error.status))) {
        // What has ended may no longer be asked about.
        if (error instanceof ApiError && error.status === 404) return;
        throw error;
      }
    }
    if (!runs) return;
    await sleep(options.everyMs ?? lookEveryMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

async function goesOn({ api }: CastellanClient, sandboxID: string, alsoPaused: boolean): Promise<boolean> {
  try {
    const { data } = await api.GET("/sandboxes/{sandboxID}", { params: { path: { sandboxID } } });
    return data?.state === "running" || (alsoPaused && data?.state === "paused");
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    // Not to be told now is no sign that it has ended.
    if (error instanceof ApiError && isPassing(error.status)) return true;
    throw error;
  }
}

function isPassing(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}
