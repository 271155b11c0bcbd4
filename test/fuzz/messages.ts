import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Dice } from "./dice.ts";

/** Texts for fields by name, where any text would do harm or nothing. */
export type Texts = Readonly<Record<string, readonly [string, ...string[]]>>;

/** A message as JSON that its contract allows, with sense where `texts` says what makes sense. */
export function allowedMessage(message: DescMessage, dice: Dice, texts: Texts, depth = 0): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  const taken = new Set<string>();
  for (const field of message.fields) {
    if (field.oneof !== undefined) {
      if (taken.has(field.oneof.name)) continue;
      taken.add(field.oneof.name);
    }
    if (depth > 4 || dice.oneIn(5)) continue;
    entries.push([field.jsonName, fieldValue(field, dice, texts, depth)]);
  }
  return Object.fromEntries(entries);
}

/** A message as JSON with something that its contract does not know, or not like this. */
export function forbiddenMessage(message: DescMessage, dice: Dice, texts: Texts): unknown {
  const whole = Object.entries(allowedMessage(message, dice, texts));
  const field = message.fields[dice.int(0, Math.max(0, message.fields.length - 1))];
  const name = field?.jsonName ?? "nothing";
  const value: unknown = dice.pick([
    null,
    [],
    {},
    "",
    -1,
    1.5,
    true,
    "99999999999999999999999999",
    9e99,
    "!!not base64!!",
    "SIGNAL_THAT_IS_NONE",
    4_294_967_296,
    [[[]]],
    { __proto__x: {} },
    dice.text(200),
    dice.json(),
    "x".repeat(100_000),
    [null, null],
    { pid: -1, tag: "both" },
  ]);
  return dice.pick<unknown>([
    Object.fromEntries([...whole, [name, value]]),
    Object.fromEntries([...whole, [name, value]]),
    Object.fromEntries([...whole, ["__proto__", value], ["unknown", value]]),
    [Object.fromEntries(whole)],
    value,
  ]);
}

function fieldValue(field: DescField, dice: Dice, texts: Texts, depth: number): unknown {
  switch (field.fieldKind) {
    case "scalar":
      return scalarValue(field.jsonName, field.scalar, dice, texts);
    case "enum":
      return dice.pick<unknown>([field.enum.values[dice.int(0, field.enum.values.length - 1)]?.name, 0, 99, "NONE"]);
    case "message":
      return allowedMessage(field.message, dice, texts, depth + 1);
    case "list": {
      const length = dice.int(0, 3);
      return Array.from({ length }, () =>
        field.listKind === "scalar"
          ? scalarValue(field.jsonName, field.scalar, dice, texts)
          : field.listKind === "message"
            ? allowedMessage(field.message, dice, texts, depth + 1)
            : 0,
      );
    }
    case "map":
      return Object.fromEntries([[dice.text(8), dice.text(8)]]);
  }
}

function scalarValue(name: string, type: ScalarType, dice: Dice, texts: Texts): unknown {
  switch (type) {
    case ScalarType.STRING: {
      const sensible = texts[name];
      return sensible === undefined ? dice.text(20) : dice.pick(sensible);
    }
    case ScalarType.BYTES:
      return dice.bytes(60).toString("base64");
    case ScalarType.BOOL:
      return dice.oneIn(2);
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
      return dice.pick(["0", "1", "-1", "9223372036854775807", "18446744073709551615", "18446744073709551616"]);
    default:
      return dice.int(0, 2 ** 31 - 1);
  }
}

/** Bytes that are read as a message in protobuf's own form, mostly in vain. */
export function binaryMessage(dice: Dice): [string, Buffer] {
  return dice.pick([
    ["random bytes", dice.bytes(80)],
    ["a field of an unknown wire type", Buffer.from([0x0f, 1, 2])],
    ["a length beyond the end", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f, 1])],
    ["a length beyond numbers", Buffer.from([0x0a, ...Array.from({ length: 10 }, () => 0xff), 1])],
    ["a number without an end", Buffer.alloc(20, 0xff)],
    ["groups without an end", Buffer.alloc(50_000, 0x0b)],
    ["messages nested deep", nested(5_000)],
    ["text that is no UTF-8", Buffer.from([0x0a, 4, 0x0a, 2, 0xff, 0xfe])],
    ["field number 0", Buffer.from([0x00, 0x00])],
    ["nothing", Buffer.alloc(0)],
  ]);
}

function nested(depth: number): Buffer {
  let inner = Buffer.alloc(0);
  for (let at = 0; at < depth && inner.length < 60_000; at++) {
    const length: number[] = [];
    for (let rest = inner.length; ; rest >>>= 7) {
      if (rest < 128) {
        length.push(rest);
        break;
      }
      length.push((rest & 127) | 128);
    }
    inner = Buffer.concat([Buffer.from([0x0a, ...length]), inner]);
  }
  return inner;
}

/** A message of the Connect protocol's streams: flags, length, content. */
export function envelope(flags: number, content: Uint8Array, saidLength = content.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags & 0xff, 0);
  head.writeUInt32BE(saidLength >>> 0, 1);
  return Buffer.concat([head, content]);
}
