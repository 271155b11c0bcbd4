import type { DescMethod } from "@bufbuild/protobuf";
import { Filesystem } from "@castellan/contracts/filesystem";
import { Process } from "@castellan/contracts/process";
import type { WireAnswer } from "./answer-reader.ts";
import type { Campaign } from "./campaign.ts";
import type { Dice } from "./dice.ts";
import { exchange } from "./exchange.ts";
import { fileRequest } from "./file-requests.ts";
import { type Draft, messageOf, show } from "./http-message.ts";
import { type Complaint, isProtocolsOwn, Judge, judgeError, parse } from "./judge.ts";
import type { Texts } from "./messages.ts";
import { rpcBody } from "./rpc-bodies.ts";

/** Calls and file requests to the daemon of a sandbox, the way that clients take: through the edge. */
export const daemonCampaign: Campaign = {
  name: "daemon",
  make(dice, subject) {
    const { name, draft, calls, stays } = dice.oneIn(3) ? fileRequest(dice) : call(dice);
    const locked = dice.oneIn(6);
    const target = locked ? subject.locked : subject.sandbox;
    const token = dice.pick(["", target.envdAccessToken, "wrong", "\xff"]);
    const headers: (readonly [string, string])[] = [
      ["Host", `127.0.0.1:${subject.ports.edge}`],
      ["E2b-Sandbox-Id", target.sandboxId],
      ["E2b-Sandbox-Port", "49983"],
      ...(token === "" ? [] : [["X-Access-Token", token] as const]),
      ...draft.headers,
    ];
    const message = messageOf({ ...draft, headers }, dice, { headOnceIn: 20, framingOnceIn: 8 });
    const judge = new Judge([subject.clusterToken, subject.locked.envdAccessToken, subject.stack.data]);
    const waits = stays || message.http === "unfinished";
    return {
      name: [name, ...(locked ? ["of a locked sandbox"] : []), ...message.wrong].join(", "),
      shown: show(message.steps),
      requests: 1,
      async run() {
        // Nobody can tell the parser's refusal of a HEAD, which has a body, from an answer to it, which has none.
        const isHead = draft.method === "HEAD";
        const outcome = await exchange(subject.ports.edge, message.steps, {
          deadlineMs: 30_000,
          bodiless: isHead,
          ...(isHead ? { giveUpMs: 500 } : {}),
          ...(waits ? { giveUpMs: 150 } : {}),
        });
        const judgeOne = calls ? judgeCall : (answer: WireAnswer) => judgeError(answer, [501, 507]);
        if (isHead) return [];
        return judge.answered(outcome, draft.method === "HEAD" ? () => [] : judgeOne);
      },
    };
  },
};

/** A request before it is addressed. */
export interface DaemonRequest {
  readonly name: string;
  readonly draft: Draft;
  /** Whether it is a call (RPC), whose errors are Connect's. */
  readonly calls: boolean;
  /** Whether its answer may go on for ever. */
  readonly stays: boolean;
}

const methods: readonly DescMethod[] = [...Process.methods, ...Filesystem.methods];

/** Nothing that would end the sandbox: commands that do not exist or do nothing, paths that hold nothing of value. */
const texts: Texts = {
  cmd: ["/bin/true", "/bin/echo", "/nonexistent", "", "\0", "/", "true\n", `/${"x".repeat(5_000)}`, "/bin/sleep"],
  args: ["0.01", "", "\0", "a".repeat(3_000), "\ud800x"],
  cwd: ["/tmp", "", "/nonexistent", "~nobody/x", "\0", "relative", "/etc/passwd", "../../.."],
  tag: ["tag", "", "t".repeat(3_000), "\0"],
  path: [
    "fuzz/a",
    "/tmp/fuzz",
    "fuzz/../fuzz/a",
    "/nonexistent/x",
    "\0",
    `fuzz/${"n".repeat(300)}`,
    "/tmp/fuzz/\n",
    "~nobody/x",
  ],
  source: ["fuzz/a", "/tmp/fuzz", "/nonexistent", "\0"],
  destination: ["fuzz/b", "/tmp/fuzz2", "/nonexistent/x", "\0", `fuzz/${"n".repeat(5_000)}`],
  watcherId: ["none", "", "\0", "__proto__"],
};

function call(dice: Dice): DaemonRequest {
  const method = methods[dice.int(0, methods.length - 1)] ?? Process.methods[0];
  if (method === undefined) throw new Error("The daemon has no methods");
  const { headers, body, wrong } = rpcBody(method, dice, texts);
  const otherPath = dice.oneIn(25);
  const path = `/${method.parent.typeName}/${method.name}`;
  const target = otherPath
    ? dice.pick([`${path}/`, path.toLowerCase(), `/${path}`, `${path}?connect=v1&message=%7B%7D&encoding=json`])
    : path;
  return {
    name: [method.name, ...wrong, ...(otherPath ? ["another path"] : [])].join(", "),
    draft: { method: dice.oneIn(30) ? dice.pick(["GET", "PUT", "OPTIONS", "HEAD"]) : "POST", target, headers, body },
    calls: true,
    stays: method.methodKind !== "unary",
  };
}

/** Connect's codes that say that the server is at fault. */
const faults = new Set(["internal", "unknown", "data_loss", "unavailable"]);

function judgeCall(answer: WireAnswer): Complaint[] {
  const { status, headers, body } = answer;
  const text = body.toString("utf8");
  if (status === 200)
    return /^application\/(connect\+|grpc)/.test(headers.get("content-type") ?? "") ? judgeStream(body, headers) : [];
  const parsed = parse(text);
  const code = typeof parsed === "object" && parsed !== null && "code" in parsed ? parsed.code : undefined;
  // What is no call at all is refused as by every other path; Connect's router refuses a media type without a body.
  if (typeof code === "number" || code === undefined) {
    return (status === 405 || status === 415 || status === 505) && body.length === 0
      ? []
      : judgeError(answer, [501, 502]);
  }
  if (faults.has(String(code)) && !isProtocolsOwn(text))
    return [{ kind: `a call ends with ${code}`, detail: text.slice(0, 300) }];
  return [];
}

/** The error at the end of a stream, in the words of Connect or of gRPC-web. */
function judgeStream(body: Buffer, headers: ReadonlyMap<string, string>): Complaint[] {
  const complaints: Complaint[] = [];
  const told = (code: string, detail: string) => {
    if (faults.has(code) && !isProtocolsOwn(detail))
      complaints.push({ kind: `a stream ends with ${code}`, detail: detail.slice(0, 300) });
  };
  const inHeaders = headers.get("grpc-status");
  if (inHeaders !== undefined) told(grpcCode(inHeaders), headers.get("grpc-message") ?? "");
  for (let at = 0; at + 5 <= body.length; ) {
    const flags = body[at] ?? 0;
    const end = at + 5 + body.readUInt32BE(at + 1);
    const content = body.subarray(at + 5, end).toString("utf8");
    at = end;
    if (flags & 2) {
      const parsed = parse(content);
      const error = typeof parsed === "object" && parsed !== null && "error" in parsed ? parsed.error : undefined;
      if (typeof error === "object" && error !== null && "code" in error) told(String(error.code), content);
    } else if (flags & 0x80) told(grpcCode(/^grpc-status:\s*(\d+)/im.exec(content)?.[1]), content);
  }
  return complaints;
}

function grpcCode(status: string | undefined): string {
  const codes: Readonly<Record<string, string>> = {
    "2": "unknown",
    "13": "internal",
    "14": "unavailable",
    "15": "data_loss",
  };
  return codes[status ?? ""] ?? "";
}
