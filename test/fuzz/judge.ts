import type { WireAnswer } from "./answer-reader.ts";
import type { Outcome } from "./exchange.ts";

/** What is wrong with an answer. Complaints of one kind are one finding. */
export interface Complaint {
  readonly kind: string;
  readonly detail: string;
}

/** What no client may ever read: stack traces, paths of the host, names of parts underneath. */
const innards =
  /\n\s+at |\bnode:[a-z]+\/|node_modules|\/(packages|apps)\/[a-z]+\/|file:\/\/|SQLITE_|\bE(CONN|ADDR|PIPE|NOENT|ACCES)[A-Z]*\b|ReplyError|WRONGTYPE|\bERR_[A-Z_]+|\[internal\] (?!Internal error)|Cannot read propert|is not a function|is not iterable/;

export class Judge {
  readonly #secrets: readonly string[];

  /** `secrets`: texts that no answer may hold. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.filter((secret) => secret !== "");
  }

  /** A connection on which an answer was due. */
  answered(outcome: Outcome, judgeOne: (answer: WireAnswer) => Complaint[]): Complaint[] {
    const complaints = outcome.answers.flatMap((answer) => [...judgeOne(answer), ...this.leaks(answer.body)]);
    if (outcome.ending === "late") {
      complaints.push({ kind: "no answer in time", detail: `nothing within ${Math.round(outcome.tookMs)} ms` });
    }
    if (outcome.garbage.length > 0) {
      complaints.push({ kind: "an answer that is no HTTP", detail: outcome.garbage.toString("latin1").slice(0, 200) });
    }
    return complaints;
  }

  leaks(body: Buffer): Complaint[] {
    const text = body.toString("utf8");
    const found = innards.exec(text)?.[0];
    const secret = this.#secrets.some((one) => text.includes(one));
    return [
      ...(found === undefined ? [] : [{ kind: "innards in an answer", detail: `${found}: ${text.slice(0, 300)}` }]),
      ...(secret ? [{ kind: "a secret in an answer", detail: text.slice(0, 100) }] : []),
    ];
  }
}

/**
 * An error of the REST API or of the edge itself: JSON with `code` as the status and a `message`.
 * @param expected statuses of 500 and above that are right here
 */
export function judgeError(answer: WireAnswer, expected: readonly number[] = []): Complaint[] {
  const { status, headers, body } = answer;
  if (status < 400) return [];
  const text = body.toString("utf8");
  const complaints: Complaint[] = [];
  if (status >= 500 && !expected.includes(status)) {
    complaints.push({ kind: `status ${status}`, detail: text.slice(0, 300) });
  }
  if (!answer.complete) complaints.push({ kind: "an error body that breaks off", detail: text.slice(0, 300) });
  if (!/^application\/json\b/.test(headers.get("content-type") ?? "")) {
    return [...complaints, { kind: `status ${status} without JSON`, detail: text.slice(0, 300) }];
  }
  const parsed = parse(text);
  const right =
    typeof parsed === "object" &&
    parsed !== null &&
    "code" in parsed &&
    parsed.code === status &&
    "message" in parsed &&
    typeof parsed.message === "string" &&
    parsed.message !== "";
  if (!right)
    complaints.push({ kind: `status ${status} with another body than code and message`, detail: text.slice(0, 300) });
  return complaints;
}

/**
 * Faults of the caller that connect-es reports as `internal`: bytes that are no protobuf, and a compressed message where
 * no compression was agreed on, which gRPC's specification wants so. Nothing of ours runs before it does.
 */
export function isProtocolsOwn(text: string): boolean {
  return /parse(%20| )binary(%3A|:)|received( |%20)compressed( |%20)envelope/.test(text);
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
