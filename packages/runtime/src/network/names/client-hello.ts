/** What the first bytes of a connection say about where it wants to go. */
export type Reading =
  /** Nothing yet. */
  | { readonly kind: "more" }
  /** The name, in lower case, and the bytes to begin with at its server. */
  | { readonly kind: "name"; readonly name: string; readonly first: Buffer }
  | { readonly kind: "refused"; readonly reason: string };

/** A client's first message with every extension of today's browsers is below 2 KiB, with post-quantum keys below 4. */
export const longestHello = 16 * 1024;
/** Some clients spread the message over several records. */
const mostRecords = 16;

const handshakeRecord = 22;
const clientHello = 1;
const serverNameExtension = 0;
/** Encrypted ClientHello: the name that counts would be another one, which nobody on the way can read. */
const encryptedExtension = 0xfe0d;

/**
 * Reads the server's name (SNI) of a TLS ClientHello. What is not exactly one, or hides its name, is refused.
 * Bytes behind it are passed on untouched.
 */
export function readClientHello(bytes: Buffer): Reading {
  const message: Buffer[] = [];
  let length = 0;
  let at = 0;
  for (let records = 0; ; records += 1) {
    const wanted = length >= 4 ? helloLength(message) : undefined;
    if (wanted !== undefined && length >= wanted) return nameIn(Buffer.concat(message).subarray(4, wanted), bytes);
    if (records === mostRecords) return refused("the ClientHello is spread over too many records");
    if (bytes.length > at && bytes[at] !== handshakeRecord) return refused("not TLS");
    if (bytes.length < at + 5) return more(bytes);
    const size = bytes.readUInt16BE(at + 3);
    if (bytes[at + 1] !== 3 || size === 0 || size > longestHello) return refused("not TLS");
    // Refused by its head already: nothing of it is waited for.
    if (length === 0 && bytes.length > at + 5 && bytes[at + 5] !== clientHello) return refused("not a ClientHello");
    const part = bytes.subarray(at + 5, at + 5 + size);
    message.push(part);
    length += part.length;
    const known = length >= 4 ? helloLength(message) : 0;
    if (known > longestHello) return refused("the ClientHello is too long");
    if (part.length < size && length < Math.max(known, 4)) return more(bytes);
    at += 5 + size;
  }
}

function more(bytes: Buffer): Reading {
  return bytes.length > longestHello + 5 * mostRecords ? refused("the ClientHello is too long") : { kind: "more" };
}

/** With its head of four bytes. */
function helloLength(parts: readonly Buffer[]): number {
  const head = Buffer.concat(parts.length === 1 ? parts : parts.slice(0, 4), undefined);
  return head.length < 4 ? 4 : 4 + head.readUIntBE(1, 3);
}

function nameIn(hello: Buffer, first: Buffer): Reading {
  try {
    const body = new Fields(hello);
    body.skip(2 + 32);
    body.sized(1);
    body.sized(2);
    body.sized(1);
    const extensions = body.isAtEnd ? new Fields(Buffer.alloc(0)) : body.sized(2);
    let name: string | undefined;
    while (!extensions.isAtEnd) {
      const type = extensions.number(2);
      const content = extensions.sized(2);
      if (type === encryptedExtension) return refused("the ClientHello is encrypted");
      if (type !== serverNameExtension) continue;
      if (name !== undefined) return refused("the ClientHello names two servers");
      const list = content.sized(2);
      const isHostName = list.number(1) === 0;
      name = list.sized(2).text();
      if (!isHostName || !list.isAtEnd || !content.isAtEnd) return refused("the ClientHello names two servers");
    }
    if (!body.isAtEnd) return refused("the ClientHello is malformed");
    if (name === undefined) return refused("the ClientHello names no server");
    return { kind: "name", name: name.toLowerCase(), first };
  } catch (error) {
    if (error instanceof RangeError) return refused("the ClientHello is malformed");
    throw error;
  }
}

function refused(reason: string): Reading {
  return { kind: "refused", reason };
}

/** Reads fields one after another. Every method throws RangeError behind the end. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(count: number): void {
    this.#take(count);
  }

  number(size: number): number {
    return this.#take(size).readUIntBE(0, size);
  }

  /** What a length of so many bytes announces. */
  sized(size: number): Fields {
    return new Fields(this.#take(this.number(size)));
  }

  text(): string {
    return this.#bytes.toString("latin1");
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new RangeError("behind the end");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
