/** Frames of HTTP/2, for what no library would send. */

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flags = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** One frame. `saidLength` may differ from the payload's. */
export function frame(
  type: number,
  flag: number,
  stream: number,
  payload: Uint8Array,
  saidLength = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(saidLength & 0xff_ffff, 0, 3);
  head.writeUInt8(type & 0xff, 3);
  head.writeUInt8(flag & 0xff, 4);
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

export const settings = frame(frameTypes.settings, 0, 0, Buffer.alloc(0));

/** A block of headers, each written out in full, in HPACK. Values below 16 KiB. */
export function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(headers.map(([name, value]) => Buffer.concat([Buffer.of(0), literal(name), literal(value)])));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const rest = bytes.length - 127;
  const length = rest < 128 ? [127, rest] : [127, (rest & 127) | 128, rest >> 7];
  return Buffer.concat([Buffer.from(length), bytes]);
}
