import { gzipSync } from "node:zlib";
import type { Dice } from "./dice.ts";

/** A body, and what is wrong with it as JSON; `undefined` when it is plain JSON. */
export interface JsonBody {
  readonly bytes: Buffer;
  readonly wrong: string | undefined;
  /** A coding that the bytes are in. */
  readonly coding?: string;
}

/** A gzip of zeros that unpacks to 64 MiB; made once. */
let bomb: Buffer | undefined;
export function gzipBomb(): Buffer {
  bomb ??= gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 });
  return bomb;
}

/** Writes a value as JSON, rightly or in one of the ways that parsers fall over. */
export function jsonText(value: unknown, dice: Dice, brokenOnceIn: number): JsonBody {
  const text = JSON.stringify(value) ?? "null";
  if (!dice.oneIn(brokenOnceIn)) return { bytes: Buffer.from(text), wrong: undefined };
  const [wrong, make] = dice.pick(breakages);
  const broken = make(text, dice);
  return { wrong, ...(Buffer.isBuffer(broken) ? { bytes: broken } : broken) };
}

type Broken = Buffer | { readonly bytes: Buffer; readonly coding: string };

const breakages: readonly [
  [string, (text: string, dice: Dice) => Broken],
  ...[string, (text: string, dice: Dice) => Broken][],
] = [
  ["cut off", (text, dice) => Buffer.from(text.slice(0, dice.int(0, Math.max(0, text.length - 1))))],
  ["empty", () => Buffer.alloc(0)],
  ["with more behind it", (text) => Buffer.from(`${text}${text}`)],
  ["with a byte order mark", (text) => Buffer.from(`\ufeff${text}`)],
  ["in UTF-16", (text) => Buffer.from(text, "utf16le")],
  [
    "with bytes that are no UTF-8",
    (text) => Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xc3, 0x28, 0xff])]),
  ],
  ["with a null byte", (text) => Buffer.from(text.replace("{", "{\0"))],
  ["with a null byte in a string", () => Buffer.from('{"a":"\\u0000","timeout":5,"templateID":"\\u0000"}')],
  ["with a lone surrogate", () => Buffer.from('{"templateID":"\\ud800","timeout":5,"\\udfff":"x"}')],
  [
    "with equal keys",
    (text) => Buffer.from(text.replace("{", '{"timeout":"x","timeout":-1,"templateID":1,"templateID":"base",')),
  ],
  [
    "with __proto__",
    () => Buffer.from('{"__proto__":{"timeout":1,"templateID":"x"},"constructor":{"prototype":{"a":1}}}'),
  ],
  [
    "with escaped keys",
    () => Buffer.from('{"\\u005f_proto__":"x","\\\\":"1","\\n":"2","timeout":5,"templateID":"ba\\u0073e"}'),
  ],
  ["nested deep in arrays", (_, dice) => nested("[", "]", dice)],
  ["nested deep in objects", (_, dice) => nested('{"a":', "}", dice)],
  ["nested deep without an end", () => Buffer.from("[".repeat(100_000))],
  ["a number beyond numbers", () => Buffer.from('{"timeout":1e999,"duration":-1e999}')],
  ["a number of many digits", () => Buffer.from(`{"timeout":${"9".repeat(5_000)}}`)],
  ["NaN", () => Buffer.from('{"timeout":NaN}')],
  ["with comments", (text) => Buffer.from(`/* */${text}// x`)],
  ["with single quotes", (text) => Buffer.from(text.replaceAll('"', "'"))],
  ["with a comma too many", (text) => Buffer.from(text.replace(/\}$/, ",}"))],
  ["a bare word", () => Buffer.from("undefined")],
  ["a bare number", () => Buffer.from("5")],
  ["a bare null", () => Buffer.from("null")],
  ["a form", () => Buffer.from("templateID=base&timeout=5")],
  ["a multipart form", () => Buffer.from('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n')],
  ["too large", () => Buffer.from(`{"templateID":"${"x".repeat(300 * 1024)}"}`)],
  ["of very many keys", () => Buffer.from(`{${Array.from({ length: 20_000 }, (_, at) => `"k${at}":"v"`).join(",")}}`)],
  ["random bytes", (_, dice) => dice.bytes(400)],
  ["gzipped", (text) => ({ bytes: gzipSync(text), coding: "gzip" })],
  ["a gzip bomb", () => ({ bytes: gzipBomb(), coding: "gzip" })],
  ["of an unknown coding", (text) => ({ bytes: Buffer.from(text), coding: "snappy" })],
];

function nested(open: string, close: string, dice: Dice): Buffer {
  const depth = dice.pick([100, 1_001, 20_000]);
  return Buffer.from(`{"metadata":${open.repeat(depth)}1${close.repeat(depth)},"timeout":5,"templateID":"base"}`);
}
