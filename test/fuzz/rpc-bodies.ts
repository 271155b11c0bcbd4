import { gzipSync } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Dice } from "./dice.ts";
import { gzipBomb, jsonText } from "./json-text.ts";
import { allowedMessage, binaryMessage, envelope, forbiddenMessage, type Texts } from "./messages.ts";

/** A call's body and the headers that say what it is. */
export interface RpcBody {
  readonly headers: readonly [string, string][];
  readonly body: Buffer;
  readonly wrong: readonly string[];
}

/** A body for a method: of its contract or not, in one of the protocols that are served or in none. */
export function rpcBody(method: DescMethod, dice: Dice, texts: Texts): RpcBody {
  const wrong: string[] = [];
  const headers: [string, string][] = [];
  const streams = method.methodKind !== "unary";
  const [media, kind] = mediaType(streams, dice, wrong);
  headers.push(["Content-Type", media]);
  const content = contentOf(method, kind.includes("proto"), dice, texts, wrong);
  const enveloped = kind.startsWith("connect+") || kind.startsWith("grpc");
  const body = enveloped ? enveloping(content, dice, headers, wrong) : coded(content, dice, headers, wrong);
  for (const [odds, name, values] of oddHeaders) {
    if (!dice.oneIn(odds)) continue;
    const value = dice.pick(values);
    wrong.push(`${name} ${value}`);
    headers.push([name, value]);
  }
  return { headers, body, wrong };
}

const oddHeaders: readonly [number, string, readonly [string, ...string[]]][] = [
  [12, "Connect-Protocol-Version", ["1", "2", "", "x"]],
  [8, "Connect-Timeout-Ms", ["1", "0", "-5", "abc", "99999999999", "1e3", "5, 6"]],
  [12, "Grpc-Timeout", ["1n", "99999999H", "x", "", "-1S"]],
  [12, "Keepalive-Ping-Interval", ["0", "-1", "abc", "1e9", "0.0001"]],
  [12, "Authorization", ["Basic", "Basic !!!", "Basic bm9ib2R5Og==", "Basic Om5v", "Bearer x", "Basic //////8="]],
  [12, "Connect-Accept-Encoding", ["gzip", "br, gzip", "\xff", "unknown"]],
  [12, "X-User-Bin", ["!!", "AA=="]],
];

function mediaType(streams: boolean, dice: Dice, wrong: string[]): [media: string, kind: string] {
  const usual = streams ? "connect+json" : "json";
  if (!dice.oneIn(3)) return [`application/${usual}`, usual];
  const kind = dice.pick([
    "proto",
    "connect+proto",
    "grpc-web+json",
    "grpc-web+proto",
    "grpc-web",
    "json",
    "connect+json",
    "grpc",
  ]);
  if (!dice.oneIn(3)) return [`application/${kind}`, kind];
  const media = dice.pick([
    "text/plain",
    "application/grpc-web-text",
    "application/connect+xml",
    "application/JSON; charset=utf-16",
    "a",
    "\xff",
    "",
  ]);
  wrong.push(`media type ${media}`);
  return [media, usual];
}

function contentOf(method: DescMethod, binary: boolean, dice: Dice, texts: Texts, wrong: string[]): Buffer {
  if (binary) {
    const [name, bytes] = binaryMessage(dice);
    wrong.push(`${name} as protobuf`);
    return bytes;
  }
  const forbidden = dice.oneIn(2);
  if (forbidden) wrong.push("a message against the contract");
  const value = forbidden ? forbiddenMessage(method.input, dice, texts) : allowedMessage(method.input, dice, texts);
  const { bytes, wrong: broken } = jsonText(value, dice, 4);
  if (broken !== undefined) wrong.push(`a message ${broken}`);
  return bytes;
}

/** A body without envelopes may be compressed as a whole. */
function coded(content: Buffer, dice: Dice, headers: [string, string][], wrong: string[]): Buffer {
  if (!dice.oneIn(8)) return content;
  const [name, coding, bytes] = dice.pick<[string, string, Buffer]>([
    ["gzip", "gzip", gzipSync(content)],
    ["a coding that it is not in", "gzip", content],
    ["a gzip that breaks off", "gzip", gzipSync(content).subarray(0, 12)],
    ["a gzip bomb", "gzip", gzipBomb()],
    ["an unknown coding", "snappy", content],
    ["brotli that it is not", "br", content],
  ]);
  wrong.push(name);
  headers.push(["Content-Encoding", coding]);
  return bytes;
}

function enveloping(content: Buffer, dice: Dice, headers: [string, string][], wrong: string[]): Buffer {
  if (dice.oneIn(3)) return envelope(0, content);
  const [name, body, coding] = dice.pick<[string, Buffer, string?]>([
    ["no envelope", content],
    ["half an envelope", envelope(0, content).subarray(0, 3)],
    ["an envelope that breaks off", envelope(0, content, content.length + 5)],
    ["an envelope shorter than said", envelope(0, content, Math.max(0, content.length - 2))],
    ["an envelope beyond the limit", envelope(0, content, 0x7fff_ffff)],
    ["an envelope of 4 GiB", envelope(0, content, 0xffff_ffff)],
    ["an envelope of 7 MiB", envelope(0, Buffer.alloc(7 * 1024 * 1024, 0x20))],
    ["all flags", envelope(0xff, content)],
    ["the flag of an end", envelope(2, Buffer.from("{}"))],
    ["the flag of trailers", envelope(0x80, Buffer.from("grpc-status: 0\r\n"))],
    ["compressed without saying how", envelope(1, gzipSync(content))],
    ["compressed", envelope(1, gzipSync(content)), "gzip"],
    ["said to be compressed", envelope(1, content), "gzip"],
    ["a gzip bomb in an envelope", envelope(1, gzipBomb()), "gzip"],
    ["an unknown compression", envelope(1, content), "snappy"],
    ["no message", Buffer.alloc(0)],
    ["two messages", Buffer.concat([envelope(0, content), envelope(0, content)])],
    ["500 messages", Buffer.concat(Array.from({ length: 500 }, () => envelope(0, content.subarray(0, 2_000))))],
    ["5,000 empty messages", Buffer.alloc(25_000)],
    ["a message, then garbage", Buffer.concat([envelope(0, content), dice.bytes(50)])],
    ["an end, then a message", Buffer.concat([envelope(2, Buffer.from("{}")), envelope(0, content)])],
  ]);
  wrong.push(name);
  if (coding !== undefined) {
    headers.push(["Connect-Content-Encoding", coding], ["Grpc-Encoding", coding]);
  }
  return body;
}
