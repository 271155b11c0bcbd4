import { gzipSync } from "node:zlib";
import type { DaemonRequest } from "./daemon.ts";
import type { Dice } from "./dice.ts";
import { gzipBomb } from "./json-text.ts";

/** Requests for `/files` and the daemon's other plain routes. What is written goes where it does no harm. */
export function fileRequest(dice: Dice): DaemonRequest {
  const wrong: string[] = [];
  if (dice.oneIn(6)) return otherRoute(dice);
  const upload = dice.oneIn(2);
  const target = `/files${query(dice, upload, wrong)}`;
  const headers: [string, string][] = [];
  for (const [odds, name, values] of oddHeaders) {
    if (!dice.oneIn(odds)) continue;
    const value = dice.pick(values);
    wrong.push(`${name} ${value.slice(0, 30)}`);
    headers.push([name, value]);
  }
  const method = upload ? "POST" : dice.pick(["GET", "GET", "GET", "HEAD"]);
  const body = upload ? uploadBody(dice, headers, wrong) : Buffer.alloc(0);
  return {
    name: [method, "/files", ...wrong].join(", "),
    draft: { method, target, headers, body },
    calls: false,
    // A device or a file of the kernel's may have no end.
    stays: !upload,
  };
}

const oddHeaders: readonly [number, string, readonly [string, ...string[]]][] = [
  [
    6,
    "Range",
    [
      "bytes=0-",
      "bytes=5-1",
      "bytes=-0",
      "bytes=-99999999999",
      "bytes=0-0,1-1",
      "bytes=99999999999999999999-",
      "lines=1-2",
      "bytes=",
      "bytes=a-b",
      `bytes=${"0-0,".repeat(1_000)}`,
    ],
  ],
  [10, "If-Modified-Since", ["yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "\xff", "9".repeat(400)]],
  [10, "Accept-Encoding", ["gzip", "br;q=1, *;q=0", "identity;q=0", "gzip;q=x", "\xff", ",,,"]],
  [10, "X-Metadata-Author", ["a", "\xff", "v".repeat(5_000)]],
  [12, "X-Metadata-", ["empty name"]],
  [10, "Authorization", ["Basic", "Basic bm9ib2R5Og==", "Basic \xff"]],
];

function query(dice: Dice, upload: boolean, wrong: string[]): string {
  const readable = [
    "/etc/passwd",
    "fuzz/a",
    "/tmp",
    "/dev/zero",
    "/proc/self/mem",
    "/proc/kmsg",
    "/dev/stdin",
    "/proc/self/environ",
    "/sys/kernel/notes",
    "/nonexistent",
  ];
  const writable = [
    "fuzz/a",
    "/tmp/fuzz",
    "fuzz/deep/er/file",
    "/dev/full",
    "/proc/self/comm",
    "/tmp",
    "/etc/passwd/x",
    "/dev/null",
  ];
  const odd = ["", "\0", "%", "..%2f..%2fetc", "n".repeat(300), "/".repeat(4_000), "~nobody/x", "\n", "é", "\ud83d"];
  const known = upload ? writable : readable;
  const isOdd = dice.oneIn(3);
  const path = (isOdd ? odd[dice.int(0, odd.length - 1)] : known[dice.int(0, known.length - 1)]) ?? "";
  const pairs: string[] = dice.oneIn(15)
    ? []
    : [`path=${dice.oneIn(10) ? path.replaceAll(/[^!-~]|#/g, "%") : encodeURIComponent(path.toWellFormed())}`];
  if (isOdd) wrong.push(`path ${JSON.stringify(path).slice(0, 30)}`);
  else wrong.push(`path ${path}`);
  if (dice.oneIn(5))
    pairs.push(
      `username=${dice.pick(["user", "root", "nobody2", "", "%00", "__proto__", "a%2fb", "u".repeat(3_000)])}`,
    );
  if (dice.oneIn(5))
    pairs.push(
      `signature=${dice.pick(["v1_x", "", "v1_%ff", "a".repeat(3_000)])}&signature_expiration=${dice.pick(["0", "-1", "99999999999999999", "abc", ""])}`,
    );
  if (dice.oneIn(12)) pairs.push("path=twice");
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}

function uploadBody(dice: Dice, headers: [string, string][], wrong: string[]): Buffer {
  const part = (filename: string, content = "content", name = "file") =>
    `--b\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: application/octet-stream\r\n\r\n${content}\r\n`;
  const [name, type, body, coding] = dice.pick<[string, string, Buffer, string?]>([
    ["octets", "application/octet-stream", dice.bytes(300)],
    ["octets that are gzipped", "application/octet-stream", gzipSync(Buffer.from("x")), "gzip"],
    ["octets said to be gzipped", "application/octet-stream", Buffer.from("not"), "gzip"],
    ["a gzip that breaks off", "application/octet-stream", gzipSync(Buffer.alloc(5_000)).subarray(0, 15), "gzip"],
    ["a gzip bomb", "application/octet-stream", gzipBomb(), "gzip"],
    ["an unknown coding", "application/octet-stream", Buffer.from("x"), "snappy"],
    ["a form", "multipart/form-data; boundary=b", Buffer.from(`${part("fuzz/a")}--b--\r\n`)],
    ["a form without an end", "multipart/form-data; boundary=b", Buffer.from(part("fuzz/a"))],
    ["a form without a boundary", "multipart/form-data", Buffer.from(`${part("fuzz/a")}--b--\r\n`)],
    ["a form with another boundary", "multipart/form-data; boundary=c", Buffer.from(`${part("fuzz/a")}--b--\r\n`)],
    ["a form with a huge boundary", `multipart/form-data; boundary=${"b".repeat(3_000)}`, Buffer.from("x")],
    [
      "a form of another field",
      "multipart/form-data; boundary=b",
      Buffer.from(`${part("fuzz/a", "x", "other")}--b--\r\n`),
    ],
    [
      "a form with an odd file name",
      "multipart/form-data; boundary=b",
      Buffer.from(`${part('\0\\"../../\xff')}--b--\r\n`, "latin1"),
    ],
    [
      "a form with a file name of 10,000 letters",
      "multipart/form-data; boundary=b",
      Buffer.from(`${part("f".repeat(10_000))}--b--\r\n`),
    ],
    ["a form of 300 files", "multipart/form-data; boundary=b", Buffer.from(`${part("fuzz/a").repeat(300)}--b--\r\n`)],
    [
      "a form with headers of 100 KiB",
      "multipart/form-data; boundary=b",
      Buffer.from(`--b\r\nX: ${"h".repeat(100_000)}\r\n\r\nx\r\n--b--\r\n`),
    ],
    [
      "a form nested in a form",
      "multipart/form-data; boundary=b",
      Buffer.from(`--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n`),
    ],
    ["an empty form", "multipart/form-data; boundary=b", Buffer.from("--b--\r\n")],
    [
      "another media type",
      dice.pick(["text/plain", "application/json", "multipart/mixed; boundary=b", "\xff", ""]),
      dice.bytes(50),
    ],
    ["nothing", "application/octet-stream", Buffer.alloc(0)],
  ]);
  wrong.push(name);
  headers.push(["Content-Type", type]);
  if (coding !== undefined) headers.push(["Content-Encoding", coding]);
  return body;
}

function otherRoute(dice: Dice): DaemonRequest {
  const target = dice.pick([
    "/envs",
    "/metrics",
    "/health",
    "/files/compose",
    "/nothing",
    "/health/",
    "/FILES",
    "/process.Process/",
    "/process.Process/None",
    "/filesystem.Filesystem/Stat/x",
    "/%00",
    "/files/../envs",
  ]);
  const method = dice.pick(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]);
  return {
    name: `${method} ${target}`,
    draft: { method, target, headers: [["Content-Type", "application/json"]], body: dice.bytes(100) },
    calls: false,
    stays: false,
  };
}
