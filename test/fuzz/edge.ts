import { randomBytes } from "node:crypto";
import type { Campaign, FuzzCase } from "./campaign.ts";
import type { Dice } from "./dice.ts";
import { type ExchangeOptions, exchange, type Step } from "./exchange.ts";
import { type Draft, messageOf, show } from "./http-message.ts";
import { Judge, judgeError } from "./judge.ts";
import type { Subject } from "./subject.ts";

/** Requests for ports of sandboxes, and what is no request, over plain connections to the edge. */
export const edgeCampaign: Campaign = {
  name: "edge",
  make(dice, subject) {
    if (dice.oneIn(3)) return specialCase(dice, subject);
    const [name, draft] = draftOf(dice, subject);
    const message = messageOf(draft, dice, { headOnceIn: 2, framingOnceIn: 3 });
    const unfinished = message.http === "unfinished";
    return caseOf([name, ...message.wrong].join(", "), message.steps, subject, unfinished ? { giveUpMs: 30 } : {});
  },
};

function caseOf(
  name: string,
  steps: readonly Step[],
  subject: Subject,
  options: ExchangeOptions,
  copies = 1,
): FuzzCase {
  const judge = new Judge([subject.clusterToken, subject.stack.apiKey, subject.stack.data]);
  return {
    name,
    shown: show(steps),
    requests: copies,
    async run() {
      const one = async () => {
        const outcome = await exchange(subject.ports.edge, steps, { deadlineMs: 35_000, ...options });
        // 502 is what clients know for "no such sandbox or port".
        return judge.answered(outcome, (answer) => judgeError(answer, [501, 502]));
      };
      return (await Promise.all(Array.from({ length: copies }, one))).flat();
    },
  };
}

function draftOf(dice: Dice, subject: Subject): [string, Draft] {
  const { sandboxId } = subject.sandbox;
  const host = `127.0.0.1:${subject.ports.edge}`;
  const [name, headers] = dice.pick<[string, [string, string][]]>([
    [
      "the daemon",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", sandboxId],
        ["E2b-Sandbox-Port", "49983"],
      ],
    ],
    ["the daemon by host", [["Host", `49983-${sandboxId}.localhost:${subject.ports.edge}`]]],
    [
      "a closed port",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", sandboxId],
        ["E2b-Sandbox-Port", "4444"],
      ],
    ],
    ["a closed port by host", [["Host", `4444-${sandboxId}.localhost:${subject.ports.edge}`]]],
    [
      "an unknown sandbox",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", "i00000000000000000000"],
        ["E2b-Sandbox-Port", "49983"],
      ],
    ],
    [
      "a sandbox without a port",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", sandboxId],
      ],
    ],
    [
      "a port without a sandbox",
      [
        ["Host", host],
        ["E2b-Sandbox-Port", "80"],
      ],
    ],
    [
      "a port beyond ports",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", sandboxId],
        ["E2b-Sandbox-Port", dice.pick(["0", "-1", "65536", "80, 81", "8e1", " ", "٣"])],
      ],
    ],
    [
      "an id that is none",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", dice.pick(["..", "A", "i\xe9", "x".repeat(4_000), "a,b", "'"])],
        ["E2b-Sandbox-Port", "80"],
      ],
    ],
    [
      "two sandboxes",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", sandboxId],
        ["E2b-Sandbox-Id", sandboxId],
        ["E2b-Sandbox-Port", "80"],
      ],
    ],
    [
      "a host and other headers",
      [
        ["Host", `4444-${sandboxId}.localhost`],
        ["E2b-Sandbox-Id", "iother"],
        ["E2b-Sandbox-Port", "x"],
      ],
    ],
    [
      "a traffic token",
      [
        ["Host", host],
        ["E2b-Sandbox-Id", sandboxId],
        ["E2b-Sandbox-Port", "4444"],
        ["e2b-traffic-access-token", dice.text(50).replaceAll(/[^ -~]/g, "?")],
      ],
    ],
    [
      "the API",
      [
        ["Host", host],
        ["X-API-Key", "e2b_00"],
      ],
    ],
  ]);
  const target = dice.pick([
    "/health",
    "/health?x=%00",
    "/init",
    "//init",
    "/%69nit",
    "/nothing",
    "/..;/init",
    "/files",
    "/envs",
    "*",
  ]);
  const body = dice.oneIn(3) ? dice.bytes(200) : Buffer.alloc(0);
  return [name, { method: dice.pick(["GET", "GET", "POST", "HEAD2", "OPTIONS", "DELETE"]), target, headers, body }];
}

/** What is no request from its first byte on, or is about the connection rather than a request. */
function specialCase(dice: Dice, subject: Subject): FuzzCase {
  const { sandboxId } = subject.sandbox;
  const named = `Host: 127.0.0.1\r\nE2b-Sandbox-Id: ${sandboxId}\r\nE2b-Sandbox-Port: 49983\r\n`;
  const health = `GET /health HTTP/1.1\r\n${named}\r\n`;
  const [name, steps, options, copies] = dice.pick<Special>([
    ["the greeting of TLS", [clientHello, "end"]],
    [
      "the preface of HTTP/2",
      [text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.from("000000040000000000", "hex"), "end"],
    ],
    ["a greeting of SOCKS", [Buffer.from([5, 1, 0]), "end"]],
    ["a banner of SSH", [text("SSH-2.0-OpenSSH_9.2\r\n"), "end"]],
    ["a header of the PROXY protocol", [text(`PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n${health}`), "end"]],
    ["a command of Redis", [text("*1\r\n$4\r\nPING\r\n"), "end"]],
    ["64 KiB of zeros", [Buffer.alloc(65_536), "end"]],
    ["1 MiB of line ends", [Buffer.alloc(1024 * 1024, "\r\n"), "end"]],
    ["random bytes", [dice.bytes(2_000), "end"]],
    ["nothing, and an end", ["end"]],
    ["nothing, and a reset", [{ waitMs: 2 }, "reset"], { giveUpMs: 10 }],
    ["20 connections that say nothing", [], { giveUpMs: 50 }, 20],
    ["20 connections that say half a line", [text("GET / HT")], { giveUpMs: 50 }, 20],
    [
      "headers that drip",
      [...`GET /health HTTP/1.1\r\n${named}`].flatMap((c): Step[] => [text(c), { waitMs: 1 }]),
      { giveUpMs: 10 },
    ],
    ["many requests at once", [text(health.repeat(50))], { answers: 50 }],
    ["many requests at once, then garbage", [text(`${health.repeat(20)}\x00\x01garbage`), "end"], { answers: 21 }],
    ["many requests at once, then a reset", [text(health.repeat(200)), "reset"], { giveUpMs: 20 }],
    [
      "a request behind a length of zero",
      [text(`POST /health HTTP/1.1\r\n${named}Content-Length: 0\r\n\r\n${health}`)],
      { answers: 2 },
    ],
    [
      "a request inside a body",
      [text(`POST /nothing HTTP/1.1\r\n${named}Content-Length: ${health.length}\r\n\r\n${health}`)],
    ],
    ["a half-open client", [text(health), "end"]],
    [
      "a body of 8 MiB for a closed port",
      [text(`POST / HTTP/1.1\r\n${named.replace("49983", "4444")}Content-Length: ${8 * 1024 * 1024}\r\n\r\n`), noise],
    ],
    [
      "a body of 8 MiB for nobody",
      [text(`POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: ${8 * 1024 * 1024}\r\n\r\n`), noise],
    ],
    [
      "a body of 8 MiB for a sandbox that is not there",
      [text(`POST / HTTP/1.1\r\n${named.replace(sandboxId, "i0")}Content-Length: ${8 * 1024 * 1024}\r\n\r\n`), noise],
    ],
    ["frames of a WebSocket without an upgrade", [Buffer.from("81fe0001deadbeef00", "hex"), "end"]],
    [
      "an upgrade, then garbage",
      [
        text(`GET /nothing HTTP/1.1\r\n${named}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`),
        dice.bytes(500),
        "end",
      ],
    ],
    [
      "an upgrade for a closed port",
      [text(`GET / HTTP/1.1\r\n${named.replace("49983", "4444")}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)],
    ],
    [
      "an upgrade with 200 KiB behind it",
      [text(`GET / HTTP/1.1\r\n${named}Connection: Upgrade\r\nUpgrade: x\r\n\r\n`), randomBytes(200_000)],
      { giveUpMs: 100 },
    ],
    [
      "a preflight",
      [
        text(
          "OPTIONS /anything HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\nAccess-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: \x01, a\r\n\r\n",
        ),
        "end",
      ],
    ],
    ["an answer instead of a request", [text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "end"]],
  ]);
  return caseOf(name, steps, subject, options ?? {}, copies);
}

type Special = readonly [string, readonly Step[], ExchangeOptions?, number?];

const noise = randomBytes(8 * 1024 * 1024);

const clientHello = Buffer.from(
  `16030100c4010000c00303${"5a".repeat(32)}20${"5b".repeat(32)}0006130113021303010000710000000e000c0000096c6f63616c686f7374`,
  "hex",
);

function text(of: string): Buffer {
  return Buffer.from(of, "latin1");
}
