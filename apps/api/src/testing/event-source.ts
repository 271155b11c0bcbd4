/** One block of a stream of server-sent events; a comment has only that. */
export interface SentEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly comment?: string;
}

/** Reads server-sent events over a real connection. */
export class EventSource implements AsyncDisposable {
  readonly seen: SentEvent[] = [];
  readonly status: number;
  readonly headers: Headers;
  /** Resolves when the stream has ended, either way. */
  readonly ended: Promise<"end" | "cut">;
  readonly #stop: AbortController;

  private constructor(response: Response, stop: AbortController) {
    this.status = response.status;
    this.headers = response.headers;
    this.#stop = stop;
    this.ended = this.#read(response);
  }

  static async open(url: string, key: string, headers: Readonly<Record<string, string>> = {}): Promise<EventSource> {
    const stop = new AbortController();
    const response = await fetch(url, {
      headers: { "X-API-Key": key, Accept: "text/event-stream", ...headers },
      signal: stop.signal,
    });
    return new EventSource(response, stop);
  }

  /** Without comments. */
  get events(): SentEvent[] {
    return this.seen.filter(({ event }) => event !== undefined);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #read(response: Response): Promise<"end" | "cut"> {
    let rest = "";
    try {
      for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + chunk).split("\n\n");
        rest = blocks.pop() ?? "";
        this.seen.push(...blocks.map(parseBlock));
      }
      return "end";
    } catch {
      return "cut";
    }
  }
}

function parseBlock(block: string): SentEvent {
  const fields = block.split("\n").map((line) => {
    const colon = line.indexOf(":");
    return colon === 0 ? ["comment", line.slice(1)] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
  });
  return Object.fromEntries(fields);
}
