export interface HelloOptions {
  readonly names?: readonly string[];
  readonly encrypted?: boolean;
  /** Bytes of an extension that says nothing. */
  readonly padding?: number;
  /** Bytes of the message in each record. */
  readonly perRecord?: number;
}

/** The first message of a TLS client. */
export function clientHello({
  names = [],
  encrypted = false,
  padding = 0,
  perRecord = 16_000,
}: HelloOptions = {}): Buffer {
  const extensions = [
    ...names.map((name) => extension(0, sized(2, Buffer.concat([Buffer.from([0]), sized(2, Buffer.from(name))])))),
    extension(43, Buffer.from([2, 3, 4])),
    ...(encrypted ? [extension(0xfe0d, Buffer.alloc(32, 1))] : []),
    ...(padding > 0 ? [extension(21, Buffer.alloc(padding))] : []),
  ];
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    sized(1, Buffer.alloc(32, 9)),
    sized(2, Buffer.from([0x13, 1, 0x13, 2])),
    sized(1, Buffer.from([0])),
    sized(2, Buffer.concat(extensions)),
  ]);
  const message = Buffer.concat([Buffer.from([1]), sized(3, body)]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += perRecord) {
    records.push(Buffer.from([22, 3, 1]), sized(2, message.subarray(at, at + perRecord)));
  }
  return Buffer.concat(records);
}

function extension(type: number, content: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(type);
  return Buffer.concat([head, sized(2, content)]);
}

function sized(size: number, content: Buffer): Buffer {
  const head = Buffer.alloc(size);
  head.writeUIntBE(content.length, 0, size);
  return Buffer.concat([head, content]);
}
