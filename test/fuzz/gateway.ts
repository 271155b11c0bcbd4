import type { WireAnswer } from "./answer-reader.ts";
import type { Campaign } from "./campaign.ts";
import type { Dice } from "./dice.ts";
import { exchange } from "./exchange.ts";
import { type Draft, messageOf, show } from "./http-message.ts";
import { type Complaint, Judge, parse } from "./judge.ts";
import type { Subject } from "./subject.ts";

/** Requests for tunnels to a node's gateway, with the cluster's token and without. */
export const gatewayCampaign: Campaign = {
  name: "gateway",
  make(dice, subject) {
    const [name, draft] = draftOf(dice, subject);
    const message = messageOf(draft, dice, { headOnceIn: 3, framingOnceIn: 4 });
    const judge = new Judge([subject.clusterToken, subject.stack.data]);
    return {
      name: [name, ...message.wrong].join(", "),
      shown: show(message.steps).replaceAll(subject.clusterToken, "<token>"),
      requests: 1,
      async run() {
        // A tunnel that was opened, or a message that is not whole, may stay as it is.
        const outcome = await exchange(subject.ports.gateway, message.steps, { deadlineMs: 15_000, giveUpMs: 300 });
        const complaints = outcome.answers.flatMap((answer) => [...judgeGateway(answer), ...judge.leaks(answer.body)]);
        return outcome.ending === "late" ? [...complaints, { kind: "no end in time", detail: name }] : complaints;
      },
    };
  },
};

/** `{code, message}`, with a code in words; its own parser's refusals have no body. */
function judgeGateway({ status, body }: WireAnswer): Complaint[] {
  const text = body.toString("utf8");
  if (status === 200) return [];
  if (![400, 401, 404, 408, 413, 417, 431, 502, 503, 504].includes(status)) {
    return [{ kind: `status ${status}`, detail: text }];
  }
  if (body.length === 0) return [];
  const parsed = parse(text);
  const right =
    typeof parsed === "object" &&
    parsed !== null &&
    "code" in parsed &&
    "message" in parsed &&
    typeof parsed.code === "string";
  return right ? [] : [{ kind: `status ${status} with another body than code and message`, detail: text }];
}

function draftOf(dice: Dice, { sandbox, clusterToken }: Subject): [string, Draft] {
  const { sandboxId } = sandbox;
  const [name, target] = dice.pick([
    ["a closed port", `${sandboxId}:4444`],
    ["the daemon", `${sandboxId}:49983`],
    ["an unknown sandbox", "i0:80"],
    ["no port", sandboxId],
    ["port 0", `${sandboxId}:0`],
    ["a port beyond ports", `${sandboxId}:65536`],
    ["a port with a zero before it", `${sandboxId}:080`],
    ["an address", "127.0.0.1:22"],
    ["an address of IPv6", "[::1]:22"],
    ["a URL", "http://127.0.0.1/"],
    ["a path", "/files"],
    ["a long name", `${"a".repeat(4_000)}:80`],
    ["a way up", "../../x:80"],
  ]);
  const token = dice.pick([
    `Bearer ${clusterToken}`,
    `Bearer ${clusterToken}`,
    "Bearer wrong",
    `bearer ${clusterToken}`,
    `Bearer ${clusterToken}x`,
    "Basic \xff",
    "",
  ]);
  const headers: [string, string][] = [
    ["Host", "node"],
    ["authorization", token],
  ];
  if (dice.oneIn(3)) headers.push(["castellan-execution", dice.pick(["e0", "", "../..", "\xff", "e".repeat(2_000)])]);
  if (dice.oneIn(8)) headers.push(["authorization", "Bearer another"]);
  const body = dice.oneIn(4) ? dice.bytes(300) : Buffer.alloc(0);
  return [
    name ?? "",
    { method: dice.pick(["CONNECT", "CONNECT", "CONNECT", "GET", "POST"]), target: target ?? "", headers, body },
  ];
}
