/** An HTTP/1.1 answer as it came. */
export interface WireAnswer {
  readonly status: number;
  /** By lower-case name; repeated ones joined with commas. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Whether the body came to its end by its own framing. */
  readonly complete: boolean;
}

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** Reads answers from bytes; written apart from the parser under test, and strict. */
export class AnswerReader {
  readonly answers: WireAnswer[] = [];
  /** What is no answer, from its first byte on. */
  garbage: Buffer = Buffer.alloc(0);
  readonly #bodiless: boolean;
  #pending: Buffer = Buffer.alloc(0);
  #head: Head | undefined;
  /** Set once the bytes are no longer HTTP: a tunnel, or garbage. */
  #raw = false;

  constructor(bodiless: boolean) {
    this.#bodiless = bodiless;
  }

  take(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (!this.#raw && this.#step()) {}
    if (this.#raw) this.#dropRaw();
  }

  /** The connection has ended, which may be the end of a body. */
  end(): void {
    const head = this.#head;
    if (head === undefined) {
      if (this.#pending.length > 0) this.garbage = this.#pending;
      return;
    }
    const framed = head.headers.has("content-length") || head.headers.has("transfer-encoding");
    this.#finish(head, this.#pending, !framed);
  }

  #step(): boolean {
    const head = this.#head ?? this.#readHead();
    if (head === undefined) return false;
    this.#head = head;
    const { status, headers } = head;
    if (status >= 100 && status < 200 && status !== 101) {
      this.#head = undefined;
      return true;
    }
    if (this.#bodiless || status === 101 || status === 204 || status === 304) {
      this.#finish(head, Buffer.alloc(0), true);
      this.#raw ||= status === 101;
      return true;
    }
    const coding = headers.get("transfer-encoding");
    if (coding !== undefined) return this.#readChunks(head);
    const length = headers.get("content-length");
    // Without either the body ends with the connection.
    if (length === undefined || this.#pending.length < Number(length)) return false;
    const body = this.#pending.subarray(0, Number(length));
    this.#pending = this.#pending.subarray(Number(length));
    this.#finish(head, body, true);
    return true;
  }

  #readHead(): Head | undefined {
    const end = this.#pending.indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.#pending.length > 0 && !startsLikeHttp(this.#pending)) this.#raw = true;
      return undefined;
    }
    const [first = "", ...lines] = this.#pending.subarray(0, end).toString("latin1").split("\r\n");
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
    if (status === undefined) {
      this.#raw = true;
      return undefined;
    }
    this.#pending = this.#pending.subarray(end + 4);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name = "", value = ""] = /^([^:]*):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      const before = headers.get(name.toLowerCase());
      headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
    }
    return { status: Number(status), headers };
  }

  #readChunks(head: Head): boolean {
    const parts: Buffer[] = [];
    let at = 0;
    for (;;) {
      const lineEnd = this.#pending.indexOf("\r\n", at);
      if (lineEnd < 0) return false;
      const size = Number.parseInt(this.#pending.subarray(at, lineEnd).toString("latin1"), 16);
      if (Number.isNaN(size)) {
        this.#raw = true;
        return false;
      }
      if (size === 0) {
        const trailersEnd = this.#pending.indexOf("\r\n\r\n", lineEnd);
        if (trailersEnd < 0) return false;
        this.#pending = this.#pending.subarray(trailersEnd + 4);
        this.#finish(head, Buffer.concat(parts), true);
        return true;
      }
      const chunkEnd = lineEnd + 2 + size;
      if (this.#pending.length < chunkEnd + 2) return false;
      parts.push(this.#pending.subarray(lineEnd + 2, chunkEnd));
      at = chunkEnd + 2;
    }
  }

  #finish(head: Head, body: Buffer, complete: boolean): void {
    this.answers.push({ ...head, body, complete });
    this.#head = undefined;
  }

  #dropRaw(): void {
    if (this.garbage.length < 4096) this.garbage = Buffer.concat([this.garbage, this.#pending]).subarray(0, 4096);
    this.#pending = Buffer.alloc(0);
  }
}

function startsLikeHttp(bytes: Buffer): boolean {
  const start = "HTTP/1.";
  const seen = bytes.subarray(0, start.length).toString("latin1");
  return start.startsWith(seen);
}
