import type { Dice } from "./dice.ts";
import type { Step } from "./exchange.ts";

/** A request before it is put into bytes. Header values are taken as Latin-1. */
export interface Draft {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

export interface Message {
  readonly steps: readonly Step[];
  readonly wrong: readonly string[];
  /** `whole`: an ordinary HTTP message. `broken`: an answer or an end is due. `unfinished`: nothing is due. */
  readonly http: "whole" | "broken" | "unfinished";
}

/** Puts a request into bytes: rightly, or with its head or its framing broken once in so many times. */
export function messageOf(draft: Draft, dice: Dice, broken: { headOnceIn: number; framingOnceIn: number }): Message {
  const breaksHead = dice.oneIn(broken.headOnceIn);
  const breaksFraming = dice.oneIn(broken.framingOnceIn);
  const [framingName, frame] = breaksFraming ? dice.pick(framings) : plainFraming;
  const framed = frame(draft.body, dice);
  const head = `${draft.method} ${draft.target} HTTP/1.1\r\n${lines(draft.headers)}${lines(framed.headers)}\r\n`;
  if (!breaksHead) {
    const wrong = breaksFraming ? [framingName] : [];
    return { steps: [latin1(head), ...framed.steps], wrong, http: framed.http };
  }
  const [headName, change] = dice.pick(heads);
  return {
    // The end of sending: what came so far is all there is, so that something is due at once.
    steps: [latin1(change(head, dice)), ...framed.steps, "end"],
    wrong: [headName, ...(breaksFraming ? [framingName] : [])],
    http: "broken",
  };
}

export function show(steps: readonly Step[]): string {
  return steps
    .map((step) =>
      step instanceof Uint8Array ? Buffer.from(step).toString("latin1").slice(0, 1_500) : JSON.stringify(step),
    )
    .map((text) => JSON.stringify(text))
    .join(" ");
}

interface Framed {
  readonly headers: readonly (readonly [string, string])[];
  readonly steps: readonly Step[];
  readonly http: Message["http"];
}

type Framing = readonly [string, (body: Buffer, dice: Dice) => Framed];

const plainFraming: Framing = [
  "a length",
  (body) => ({
    headers: body.length > 0 ? [["Content-Length", String(body.length)]] : [],
    steps: [body],
    http: "whole",
  }),
];

const chunkedHeader = ["Transfer-Encoding", "chunked"] as const;

function chunk(body: Buffer, extension = ""): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}${extension}\r\n`), body, Buffer.from("\r\n")]);
}

const lastChunk = Buffer.from("0\r\n\r\n");

function lengthSaid(
  name: string,
  say: (length: number) => readonly string[],
  http: Message["http"] = "broken",
): Framing {
  return [
    name,
    (body) => ({
      headers: say(body.length).map((value) => ["Content-Length", value] as const),
      steps: http === "unfinished" ? [body] : [body, "end"],
      http,
    }),
  ];
}

function codingSaid(name: string, ...headers: readonly (readonly [string, string])[]): Framing {
  return [name, (body) => ({ headers, steps: [chunk(body), lastChunk, "end"], http: "broken" })];
}

function chunks(name: string, make: (body: Buffer, dice: Dice) => readonly Step[], http: Message["http"]): Framing {
  return [name, (body, dice) => ({ headers: [chunkedHeader], steps: make(body, dice), http })];
}

const framings: readonly [Framing, ...Framing[]] = [
  chunks("one chunk", (body) => [chunk(body.length > 0 ? body : Buffer.from(" ")), lastChunk], "broken"),
  chunks("no chunk", () => [lastChunk], "broken"),
  chunks(
    "chunks of one byte",
    (body) => [...[...body.subarray(0, 400)].map((byte) => chunk(Buffer.of(byte))), lastChunk],
    "broken",
  ),
  chunks("chunks with extensions", (body) => [chunk(body, `;name="${"v".repeat(100)}"`), lastChunk], "broken"),
  chunks(
    "a chunk with a huge extension",
    (body) => [chunk(body, `;${"v".repeat(40_000)}`), lastChunk, "end"],
    "broken",
  ),
  chunks("trailers", (body) => [chunk(body), Buffer.from("0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n")], "broken"),
  chunks(
    "huge trailers",
    (body) => [chunk(body), Buffer.from(`0\r\nX-T: ${"t".repeat(80_000)}\r\n\r\n`), "end"],
    "broken",
  ),
  chunks("a chunk size that is no number", () => [Buffer.from("xyz\r\nabc\r\n0\r\n\r\n"), "end"], "broken"),
  chunks("a chunk size beyond numbers", () => [Buffer.from("FFFFFFFFFFFFFFFFFF\r\nabc"), "end"], "broken"),
  chunks("a negative chunk size", () => [Buffer.from("-5\r\nabc\r\n0\r\n\r\n"), "end"], "broken"),
  chunks(
    "a chunk longer than said",
    (body) => [Buffer.from(`1\r\n${body.toString("latin1")}xx\r\n0\r\n\r\n`), "end"],
    "broken",
  ),
  chunks("chunks without the last", (body) => [chunk(body)], "unfinished"),
  chunks("chunks that break off", (body) => [chunk(body), Buffer.from("ff\r\nabc"), "reset"], "unfinished"),
  lengthSaid("a length too short", (length) => [String(Math.max(0, length - 3))]),
  lengthSaid("a length too long, and an end", (length) => [String(length + 10)]),
  lengthSaid("a length too long", (length) => [String(length + 10)], "unfinished"),
  lengthSaid("a negative length", () => ["-1"]),
  lengthSaid("a length beyond numbers", () => ["99999999999999999999999"]),
  lengthSaid("a length with a sign", (length) => [`+${length}`]),
  lengthSaid("a length in hexadecimal", (length) => [`0x${length.toString(16)}`]),
  lengthSaid("an empty length", () => [""]),
  lengthSaid("two lengths that differ", (length) => [String(length), String(length + 1)]),
  lengthSaid("two equal lengths", (length) => [String(length), String(length)]),
  lengthSaid("lengths in a list", (length) => [`${length}, ${length}`]),
  lengthSaid("a length of 10 GB", () => ["10000000000"], "unfinished"),
  codingSaid("a length and chunks", ["Content-Length", "5"], chunkedHeader),
  codingSaid("chunks and a length", chunkedHeader, ["Content-Length", "5"]),
  codingSaid("chunked twice", ["Transfer-Encoding", "chunked, chunked"]),
  codingSaid("an unknown coding", ["Transfer-Encoding", "xchunked"]),
  codingSaid("gzip before chunked", ["Transfer-Encoding", "gzip, chunked"]),
  codingSaid("chunked before identity", ["Transfer-Encoding", "chunked, identity"]),
  codingSaid("a coding with a tab", ["Transfer-Encoding", "\tchunked"]),
  codingSaid("a coding's name with a space behind it", ["Transfer-Encoding ", "chunked"]),
  codingSaid("two codings", chunkedHeader, ["Transfer-Encoding", "identity"]),
  ["a body that drips", (body) => ({ ...plainFraming[1](body, noDice), steps: dripping(body) })],
  [
    "an end before the body",
    (body) => ({ headers: [["Content-Length", String(body.length + 1)]], steps: ["end"], http: "broken" }),
  ],
  [
    "a reset within the body",
    (body) => ({ headers: [["Content-Length", "100000"]], steps: [body, { waitMs: 2 }, "reset"], http: "unfinished" }),
  ],
  [
    "an expectation",
    (body) => ({
      headers: [
        ["Expect", "100-continue"],
        ["Content-Length", String(body.length)],
      ],
      steps: [body],
      http: "broken",
    }),
  ],
  [
    "an expectation without a body",
    () => ({
      headers: [
        ["Expect", "100-continue"],
        ["Content-Length", "10"],
      ],
      steps: [],
      http: "unfinished",
    }),
  ],
  [
    "an unknown expectation",
    (body) => ({
      headers: [
        ["Expect", "wonders"],
        ["Content-Length", String(body.length)],
      ],
      steps: [body],
      http: "broken",
    }),
  ],
];

/** For framings that take no chances. */
const noDice: Dice = {
  int: (min) => min,
  oneIn: () => false,
  pick: ([first]) => first,
  text: () => "",
  bytes: () => Buffer.alloc(0),
  json: () => null,
};

function dripping(body: Buffer): Step[] {
  const third = Math.ceil(body.length / 3);
  return [0, 1, 2].flatMap((at) => [body.subarray(at * third, (at + 1) * third), { waitMs: 10 }]);
}

type HeadChange = readonly [string, (head: string, dice: Dice) => string];

function insert(line: string): (head: string) => string {
  return (head) => head.replace("\r\n", `\r\n${line}\r\n`);
}

function firstLine(change: (line: string) => string): (head: string) => string {
  return (head) => head.replace(/^[^\r]*/, change);
}

const heads: readonly [HeadChange, ...HeadChange[]] = [
  ["bare line feeds", (head) => head.replaceAll("\r\n", "\n")],
  ["bare carriage returns", (head) => head.replaceAll("\r\n", "\r")],
  ["empty lines before it", (head) => `\r\n\r\n${head}`],
  ["a folded header", insert("X-Folded: a\r\n b")],
  ["a folded first header", (head) => head.replace("\r\n", "\r\n folded\r\n")],
  ["a header without a colon", insert("NoColonHere")],
  ["a header without a name", insert(": value")],
  ["a header's name with a space", insert("X Name: value")],
  ["a header's name with a space behind it", insert("Host : other")],
  ["a null byte in a header", insert("X-Null: a\0b")],
  ["control characters in a header", insert("X-Control: a\x01\x7fb")],
  ["a header that is not ASCII", insert("X-Caf\xe9: \xff\xfe")],
  ["a header of 20 KiB", insert(`X-Long: ${"h".repeat(20_000)}`)],
  ["a header's name of 20 KiB", insert(`X-${"n".repeat(20_000)}: 1`)],
  ["a header of 2 MiB", insert(`X-Long: ${"h".repeat(2 * 1024 * 1024)}`)],
  ["3,000 short headers", insert(Array.from({ length: 3_000 }, (_, at) => `a${at % 10}:`).join("\r\n"))],
  ["200 equal headers", insert(Array.from({ length: 200 }, () => "X-Same: value").join("\r\n"))],
  ["two hosts", insert("Host: other")],
  ["no host", (head) => head.replace(/Host: [^\r]*\r\n/i, "")],
  ["an empty host", (head) => head.replace(/Host: [^\r]*/i, "Host: ")],
  ["a host that is none", (head) => head.replace(/Host: [^\r]*/i, "Host: a b@c/d:99999")],
  ["a host of another sandbox's port", (head) => head.replace(/Host: [^\r]*/i, "Host: 99999999-i.localhost")],
  ["HTTP/1.0", firstLine((line) => line.replace("1.1", "1.0"))],
  ["HTTP/0.9", firstLine((line) => line.replace("1.1", "0.9"))],
  ["HTTP/2.0", firstLine((line) => line.replace("1.1", "2.0"))],
  ["HTTP/1.9", firstLine((line) => line.replace("1.1", "1.9"))],
  ["another protocol's name", firstLine((line) => line.replace("HTTP", "RTSP"))],
  ["no version", firstLine((line) => line.replace(/ HTTP.*/, ""))],
  ["a version in small letters", firstLine((line) => line.replace("HTTP", "http"))],
  ["tabs between the parts", firstLine((line) => line.replaceAll(" ", "\t"))],
  ["spaces between the parts", firstLine((line) => line.replaceAll(" ", "   "))],
  ["no target", firstLine((line) => line.replace(/ .* /, "  "))],
  ["a target with a space", firstLine((line) => line.replace(/ HTTP/, " x y HTTP"))],
  ["a target with a null byte", firstLine((line) => line.replace(/ HTTP/, "\0 HTTP"))],
  ["a target that is not ASCII", firstLine((line) => line.replace(/ HTTP/, "\xe9\xff HTTP"))],
  ["a target with a fragment", firstLine((line) => line.replace(/ HTTP/, "#fragment HTTP"))],
  ["a target of 15 KiB", firstLine((line) => line.replace(/ HTTP/, `?${"q".repeat(15_000)} HTTP`))],
  ["a target of 100 KiB", firstLine((line) => line.replace(/ HTTP/, `?${"q".repeat(100_000)} HTTP`))],
  ["a target in absolute form", firstLine((line) => line.replace(" ", " http://user:pass@other.example:1"))],
  ["a target that is an asterisk", firstLine((line) => line.replace(/ .* /, " * "))],
  ["a target that is an authority", firstLine((line) => line.replace(/ .* /, " 127.0.0.1:80 "))],
  ["a target without a slash", firstLine((line) => line.replace(" /", " "))],
  ["an unknown method", firstLine((line) => line.replace(/^\S+/, "FROBNICATE"))],
  ["a method in small letters", firstLine((line) => line.toLowerCase())],
  ["a method of 1,000 letters", firstLine((line) => `${"M".repeat(1_000)}${line}`)],
  ["CONNECT", firstLine((line) => line.replace(/^\S+ \S+/, "CONNECT 127.0.0.1:22"))],
  ["TRACE", firstLine((line) => line.replace(/^\S+/, "TRACE"))],
  ["PROPFIND", firstLine((line) => line.replace(/^\S+/, "PROPFIND"))],
  ["QUERY", firstLine((line) => line.replace(/^\S+/, "QUERY"))],
  ["OPTIONS", firstLine((line) => line.replace(/^\S+/, "OPTIONS"))],
  [
    "an upgrade to a WebSocket",
    insert("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13"),
  ],
  [
    "an upgrade to HTTP/2",
    insert("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
  ],
  ["an upgrade to nothing known", insert("Connection: Upgrade\r\nUpgrade: \x7e\x7e, tls/1.0, a/b")],
  ["Connection naming what frames it", insert("Connection: close, content-length, host, transfer-encoding, x-api-key")],
  ["a range without sense", insert(`Range: bytes=${Array.from({ length: 500 }, (_, at) => `${at}-`).join(",")}`)],
  ["cut off in the first line", (head, dice) => head.slice(0, dice.int(1, 20))],
  ["random bytes", (_, dice) => `${dice.bytes(200).toString("latin1")}\r\n\r\n`],
  ["random bytes in it", (head, dice) => splice(head, dice.int(0, head.length), dice.bytes(12).toString("latin1"))],
  [
    "one byte other",
    (head, dice) => splice(head, dice.int(0, head.length - 1), String.fromCharCode(dice.int(0, 255)), 1),
  ],
];

function splice(text: string, at: number, what: string, removed = 0): string {
  return text.slice(0, at) + what + text.slice(at + removed);
}

function lines(headers: readonly (readonly [string, string])[]): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
}

function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
