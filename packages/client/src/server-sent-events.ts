/** One block of a stream of server-sent events; of several comments the last. */
export interface ServerSentEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly comment?: string;
}

/** Reads a stream until it ends. @throws what the connection says, or an error when nothing comes for `silentMs`. */
export async function* readServerSentEvents(
  response: Response,
  silentMs: number,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  const stop = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    let rest = "";
    for (;;) {
      const timer = setTimeout(() => void reader.cancel().catch(() => {}), silentMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      yield* blocks.map(parseBlock);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

function parseBlock(block: string): ServerSentEvent {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const name = colon === 0 ? "comment" : line.slice(0, colon);
    fields.set(name, line.slice(colon + 1).replace(/^ /, ""));
  }
  return Object.fromEntries(fields);
}
