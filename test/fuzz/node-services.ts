import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
import { NodeService, RegistryService } from "@castellan/contracts/node";
import { SandboxService } from "@castellan/contracts/sandbox";
import type { Campaign, FuzzCase } from "./campaign.ts";
import type { Dice } from "./dice.ts";
import { show } from "./http-message.ts";
import { flags, frame, frameTypes, headerBlock, preface, settings } from "./http2-frames.ts";
import { type Complaint, isProtocolsOwn, Judge, parse } from "./judge.ts";
import type { Texts } from "./messages.ts";
import { rpcBody } from "./rpc-bodies.ts";
import type { Subject } from "./subject.ts";

/** Calls between nodes and control plane over HTTP/2 without TLS, with the cluster's token and without, and bad frames. */
export const nodeCampaign: Campaign = {
  name: "node",
  make: (dice, subject) => (dice.oneIn(3) ? framesCase(dice, subject) : callCase(dice, subject)),
};

interface Called {
  readonly method: DescMethod;
  readonly port: (subject: Subject) => number;
}

const called: readonly Called[] = [
  ...[...SandboxService.methods, ...NodeService.methods].map((method) => ({
    method,
    port: ({ ports }: Subject) => ports.node,
  })),
  ...RegistryService.methods.map((method) => ({ method, port: ({ ports }: Subject) => ports.registry })),
];

/** Nothing that is there: a call with the right token could end or change it, which is its purpose. */
const texts: Texts = {
  sandboxId: ["i00000000000000000000", "", "\0", "..", "x".repeat(3_000), "I"],
  executionId: ["e0", "", "\0", "../../x", "y".repeat(3_000)],
  nodeId: ["", "a b", "\0", "n".repeat(300), "__proto__"],
  bootId: ["", "\n", "b".repeat(300)],
  address: ["", "file:///etc/passwd", "http://", "a".repeat(3_000), "ftp://x"],
  gatewayAddress: ["", ":", "a:99999999", "\0"],
  templateId: ["none", "", "../../etc", "\0"],
};

function callCase(dice: Dice, subject: Subject): FuzzCase {
  const chosen = called[dice.int(0, called.length - 1)] ?? called[0];
  if (chosen === undefined) throw new Error("There are no services");
  const { method, port } = chosen;
  const { headers, body, wrong } = rpcBody(method, dice, texts);
  const right = dice.oneIn(2);
  const token = right
    ? `Bearer ${subject.clusterToken}`
    : dice.pick(["", "Bearer wrong", "Basic x", `Bearer ${subject.clusterToken}0`]);
  // An epoch from the future would be taken, and then nothing of this time.
  const harmless = right
    ? Buffer.from(body.toString("latin1").replaceAll(/("epoch":)"?\d+"?/g, '$1"1"'), "latin1")
    : body;
  const judge = new Judge([subject.clusterToken, subject.stack.data]);
  return {
    name: [method.name, right ? "with the token" : "without the token", ...wrong].join(", "),
    shown: `${JSON.stringify(headers)} ${show([harmless])}`,
    requests: 1,
    async run() {
      const answer = await call(port(subject), `/${method.parent.typeName}/${method.name}`, token, headers, harmless);
      if (answer === "late") return [{ kind: "a call without an answer", detail: method.name }];
      const { status, text } = answer;
      const complaints: Complaint[] = judge.leaks(Buffer.from(text));
      if (!right && status === 200 && !/unauthenticated|grpc-status: 16/.test(text)) {
        complaints.push({
          kind: "a call without the token is answered",
          detail: `${method.name}: ${text.slice(0, 200)}`,
        });
      }
      if (isFault(status, text))
        complaints.push({ kind: `a call ends in a fault (${status})`, detail: text.slice(0, 300) });
      return complaints;
    },
  };
}

function isFault(status: number, text: string): boolean {
  const parsed = parse(text);
  const code =
    typeof parsed === "object" && parsed !== null && "code" in parsed
      ? String(parsed.code)
      : /"code":"(\w+)"/.exec(text)?.[1];
  if (isProtocolsOwn(text)) return false;
  return code === undefined ? status === 500 : ["internal", "unknown", "data_loss"].includes(code);
}

interface CallAnswer {
  readonly status: number;
  /** Body and trailers. */
  readonly text: string;
}

async function call(
  port: number,
  path: string,
  token: string,
  headers: readonly (readonly [string, string])[],
  body: Buffer,
): Promise<CallAnswer | "late"> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  try {
    const { promise, resolve } = Promise.withResolvers<CallAnswer | "late">();
    const timer = setTimeout(() => resolve("late"), 15_000);
    const safe = headers.map(([name, value]) => [name.toLowerCase(), value.replaceAll(/[^\x20-\x7e]/g, "?")] as const);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      ...Object.fromEntries(safe),
      ...(token === "" ? {} : { authorization: token }),
    });
    let status = 0;
    let text = "";
    stream.on("response", (head) => {
      status = Number(head[":status"]);
    });
    stream.on("trailers", (trailers) => {
      text += Object.entries(trailers)
        .map(([name, value]) => `${name}: ${value}\n`)
        .join("");
    });
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length < 100_000) text += chunk;
    });
    stream.on("error", () => {});
    stream.on("close", () => resolve({ status, text }));
    session.on("close", () => resolve({ status, text }));
    stream.end(body);
    const answer = await promise;
    clearTimeout(timer);
    return answer;
  } finally {
    session.destroy();
  }
}

/** Bytes that are no proper HTTP/2, or too much of it, and a client that leaves. */
function framesCase(dice: Dice, subject: Subject): FuzzCase {
  const port = dice.oneIn(3) ? subject.ports.registry : subject.ports.node;
  if (dice.oneIn(6)) return floodCase(dice, port);
  const own = `Bearer ${dice.oneIn(2) ? subject.clusterToken : "wrong"}`;
  const [name, bytes] = dice.pick(badFrames(dice, own));
  return {
    name,
    shown: bytes.subarray(0, 300).toString("hex"),
    requests: 1,
    run: async () => ((await play(port, bytes)) ? [] : [{ kind: "a connection that cannot be made", detail: name }]),
  };
}

type Headers = readonly (readonly [string, string])[];

function badFrames(dice: Dice, token: string): readonly [[string, Buffer], ...[string, Buffer][]] {
  const path = "/orchestrator.v1.SandboxService/UpdateStream";
  const head: Headers = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "node"],
    ["authorization", token],
    ["content-type", "application/connect+json"],
  ];
  const begin = Buffer.concat([preface, settings]);
  const open = (headers: Headers, stream = 1, flag: number = flags.endHeaders) =>
    frame(frameTypes.headers, flag, stream, headerBlock(headers));
  const after = (...frames: Buffer[]) => Buffer.concat([begin, ...frames]);
  return [
    ["HTTP/1.1 instead", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["half a preface", preface.subarray(0, 10)],
    ["a preface, then garbage", Buffer.concat([preface, dice.bytes(300)])],
    ["a preface without settings", Buffer.concat([preface, open(head)])],
    [
      "random frames",
      after(
        ...Array.from({ length: 20 }, () => frame(dice.int(0, 12), dice.int(0, 255), dice.int(0, 9), dice.bytes(40))),
      ),
    ],
    ["a frame longer than said", after(frame(frameTypes.ping, 0, 0, Buffer.alloc(8), 3))],
    ["a frame of 16 MiB that does not come", after(frame(frameTypes.data, 0, 1, Buffer.alloc(10), 0xff_ffff))],
    ["a ping of 7 bytes", after(frame(frameTypes.ping, 0, 0, Buffer.alloc(7)))],
    ["settings of odd length", after(frame(frameTypes.settings, 0, 0, Buffer.alloc(7)))],
    ["a window of 4 GiB", after(frame(frameTypes.settings, 0, 0, Buffer.from("0004ffffffff", "hex")))],
    ["frames of 1 byte at most", after(frame(frameTypes.settings, 0, 0, Buffer.from("000500000001", "hex")))],
    ["a window that grows by nothing", after(open(head), frame(frameTypes.windowUpdate, 0, 1, Buffer.alloc(4)))],
    [
      "a window beyond numbers",
      after(...Array.from({ length: 3 }, () => frame(frameTypes.windowUpdate, 0, 0, Buffer.from("7fffffff", "hex")))),
    ],
    ["headers that cannot be unpacked", after(frame(frameTypes.headers, 5, 1, Buffer.alloc(50, 0xff)))],
    ["headers that refer to nothing", after(frame(frameTypes.headers, 5, 1, Buffer.from("ff80808080", "hex")))],
    ["headers without a method", after(open(head.slice(1)))],
    ["headers in capitals", after(open([...head, ["X-Capital", "1"]]))],
    [
      "a header that HTTP/2 forbids",
      after(open([...head, ["connection", "keep-alive"], ["transfer-encoding", "chunked"]])),
    ],
    ["pseudo headers behind others", after(open([["a", "b"], ...head]))],
    ["two paths", after(open([...head.slice(0, 4), [":path", "/x"], ...head.slice(4)]))],
    [
      "a path that is none",
      after(open(head.map(([name, value]) => [name, name === ":path" ? "no\0path" : value] as const))),
    ],
    [
      "200 KiB of headers",
      after(
        ...Array.from({ length: 20 }, (_, at) =>
          frame(at === 0 ? 1 : 9, at === 19 ? 4 : 0, 1, headerBlock([[`a${at}`, "h".repeat(10_000)]])),
        ),
      ),
    ],
    [
      "continuations without an end",
      after(
        frame(1, 0, 1, headerBlock(head)),
        ...Array.from({ length: 2_000 }, () => frame(9, 0, 1, headerBlock([["a", "b"]]))),
      ),
    ],
    ["a continuation of nothing", after(frame(9, 4, 1, headerBlock(head)))],
    ["a stream of the server's", after(open(head, 2))],
    ["streams in the wrong order", after(open(head, 5), open(head, 3))],
    ["data for no stream", after(frame(frameTypes.data, 0, 0, Buffer.from("x")))],
    ["data for a stream that is not there", after(frame(frameTypes.data, 1, 99, Buffer.from("x")))],
    ["padding longer than the frame", after(open(head), frame(frameTypes.data, flags.padded, 1, Buffer.of(200, 1, 2)))],
    ["a stream that depends on itself", after(frame(frameTypes.priority, 0, 3, Buffer.from("0000000310", "hex")))],
    ["a push from a client", after(frame(frameTypes.pushPromise, 4, 1, Buffer.alloc(4)))],
    ["a goodbye, then more", after(frame(frameTypes.goAway, 0, 0, Buffer.alloc(8)), open(head))],
    ["an update stream of garbage", after(open(head), frame(frameTypes.data, 0, 1, dice.bytes(500)))],
    ["an update stream of empty messages", after(open(head), frame(frameTypes.data, 0, 1, Buffer.alloc(15_000)))],
    [
      "an update stream with a message of 4 GiB",
      after(open(head), frame(frameTypes.data, 0, 1, Buffer.from("00ffffffff7b", "hex"))),
    ],
    ["an update stream that stays open", after(open(head))],
  ];
}

/** Sends the bytes, waits a moment for what comes, and leaves; also when the other side does not read. */
async function play(port: number, bytes: Buffer): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.resume();
  const connected = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("close", () => resolve(false));
  });
  socket.write(bytes);
  await Promise.race([new Promise((resolve) => socket.once("close", resolve)), sleep(80)]);
  socket.destroy();
  return connected;
}

/** Much of what is allowed, one at a time. */
function floodCase(dice: Dice, port: number): FuzzCase {
  const [name, flood] = dice.pick<[string, (session: ClientHttp2Session) => void]>([
    [
      "1,000 streams that are reset at once",
      (session) =>
        repeat(1_000, () =>
          session
            .request({ ":method": "POST", ":path": "/x" })
            .on("error", () => {})
            .close(8),
        ),
    ],
    [
      "500 streams that say nothing more",
      (session) => repeat(500, () => session.request({ ":method": "POST", ":path": "/x" }).on("error", () => {})),
    ],
    ["2,000 pings", (session) => repeat(2_000, () => session.ping(() => {}))],
    ["500 settings", (session) => repeat(500, () => session.settings({ initialWindowSize: 70_000 }))],
  ]);
  return {
    name,
    shown: name,
    requests: 1,
    async run() {
      const session = connectHttp2(`http://127.0.0.1:${port}`, { maxOutstandingPings: 5_000, maxSessionMemory: 100 });
      session.on("error", () => {});
      await new Promise((resolve) => {
        session.once("connect", resolve);
        session.once("close", resolve);
      });
      try {
        if (!session.destroyed) flood(session);
      } catch {
        // The other side has said goodbye in the middle of it.
      }
      await Promise.race([new Promise((resolve) => session.once("close", resolve)), sleep(200)]);
      session.destroy();
      return [];
    },
  };
}

function repeat(times: number, act: () => void): void {
  for (let at = 0; at < times; at++) act();
}
