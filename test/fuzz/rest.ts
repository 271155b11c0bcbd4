import type { OpenApiOperation, OpenApiParameter, OpenApiSchema } from "@castellan/contracts/document";
import { openapiDocument } from "@castellan/contracts/openapi-document";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import type { WireAnswer } from "./answer-reader.ts";
import type { Campaign, FuzzCase } from "./campaign.ts";
import type { Dice } from "./dice.ts";
import { exchange } from "./exchange.ts";
import { type Draft, type Message, messageOf, show } from "./http-message.ts";
import { type JsonBody, jsonText } from "./json-text.ts";
import { type Complaint, Judge, judgeError, parse } from "./judge.ts";
import { allowedValue, forbiddenValue } from "./schema-values.ts";
import type { Subject } from "./subject.ts";

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly definition: OpenApiOperation;
  readonly parameters: readonly OpenApiParameter[];
}

const methods = ["get", "post", "put", "patch", "delete"] as const;

/** Every operation of the contract: a new one is tested from the day it is written down. */
const operations: readonly Operation[] = Object.entries(openapiDocument.paths).flatMap(([path, item]) =>
  methods.flatMap((method) => {
    const definition = item[method];
    if (definition === undefined) return [];
    const parameters = [...(item.parameters ?? []), ...(definition.parameters ?? [])];
    return [{ id: definition.operationId, method: method.toUpperCase(), path, definition, parameters }];
  }),
);

/** A request of this campaign, with what it says in words. */
interface Drafted {
  readonly operation: Operation;
  readonly draft: Draft;
  readonly wrong: readonly string[];
  /** Whether path and method are still those of the operation, so that only its own answers are right. */
  readonly reaches: boolean;
}

/** Requests to the REST API, made from `openapi.yaml`. */
export const restCampaign: Campaign = {
  name: "rest",
  make(dice, subject) {
    const drafted = draftOf(dice, subject);
    const message = messageOf(drafted.draft, dice, { headOnceIn: 8, framingOnceIn: 6 });
    return caseOf(drafted, message, subject);
  },
};

function caseOf({ operation, draft, wrong, reaches }: Drafted, message: Message, subject: Subject): FuzzCase {
  const judge = new Judge([subject.clusterToken, subject.stack.data]);
  return {
    name: [operation.id, ...wrong, ...message.wrong].join(", "),
    shown: show(message.steps),
    requests: 1,
    async run() {
      // Nobody can tell the parser's refusal of a HEAD, which has a body, from an answer to it, which has none.
      const isHead = draft.method === "HEAD";
      const outcome = await exchange(subject.ports.edge, message.steps, {
        bodiless: isHead,
        ...(isHead ? { giveUpMs: 500 } : {}),
        deadlineMs: 30_000,
        ...(message.http === "unfinished" ? { giveUpMs: 50 } : {}),
      });
      if (isHead) return [];
      const complaints = judge.answered(outcome, (answer) => {
        const errors = draft.method === "HEAD" ? [] : judgeError(answer, [501]);
        const ofHttpAlone = answer.status === 431;
        const own = reaches && message.http === "whole" && !ofHttpAlone;
        return [...errors, ...(own ? judgeDeclared(operation, answer) : [])];
      });
      await Promise.all(outcome.answers.map((answer) => removeCreated(answer, subject)));
      return complaints;
    },
  };
}

/** A status that the contract declares for the operation, with a body of its schema. */
function judgeDeclared(operation: Operation, answer: WireAnswer): Complaint[] {
  const { status, body } = answer;
  const validate = validatorOf(operation, status);
  if (validate === "undeclared") {
    const text = body.toString("utf8").slice(0, 200);
    return [{ kind: `${operation.id} answers ${status}, which the contract does not declare`, detail: text }];
  }
  if (validate === "no body") {
    return body.length === 0 ? [] : [{ kind: `${operation.id}: ${status} with a body`, detail: body.toString("utf8") }];
  }
  if (validate(parse(body.toString("utf8")))) return [];
  const [first] = validate.errors ?? [];
  const detail = `${first?.instancePath} ${first?.message}: ${body.toString("utf8").slice(0, 300)}`;
  return [{ kind: `${operation.id}: ${status} with a body that the contract does not allow`, detail }];
}

const ajv = new Ajv({ strict: false });
addFormats.default(ajv);
const validators = new Map<string, ValidateFunction>();

function validatorOf({ id, definition }: Operation, status: number): ValidateFunction | "undeclared" | "no body" {
  const response: unknown = definition.responses[String(status)];
  if (typeof response !== "object" || response === null) return "undeclared";
  const schema = schemaOf(response);
  if (schema === undefined) return "no body";
  const key = `${id} ${status}`;
  const known = validators.get(key) ?? ajv.compile(schema);
  validators.set(key, known);
  return known;
}

function schemaOf(response: object): OpenApiSchema | undefined {
  const { content }: { content?: Record<string, { schema?: OpenApiSchema }> } = response;
  return content?.["application/json"]?.schema;
}

/** A sandbox that a request made by right must not use up the team's quota. */
async function removeCreated({ status, body }: WireAnswer, { stack }: Subject): Promise<void> {
  const parsed = status === 201 ? parse(body.toString("utf8")) : undefined;
  if (typeof parsed !== "object" || parsed === null || !("sandboxID" in parsed)) return;
  const response = await fetch(`${stack.apiUrl}/sandboxes/${String(parsed.sandboxID)}`, {
    method: "DELETE",
    headers: { "X-API-Key": stack.apiKey },
    signal: AbortSignal.timeout(30_000),
  });
  await response.arrayBuffer();
}

function draftOf(dice: Dice, subject: Subject): Drafted {
  const operation = operations[dice.int(0, operations.length - 1)] ?? operations[0];
  if (operation === undefined) throw new Error("The contract has no operations");
  const wrong: string[] = [];
  const note = (what: string | undefined) => {
    if (what !== undefined) wrong.push(what);
  };
  const path = pathOf(operation, dice, subject, note);
  const query = queryOf(operation, dice, note);
  const body = bodyOf(operation, dice, note);
  const headers = headersOf(operation, body, dice, subject, note);
  const otherMethod = dice.oneIn(25);
  if (otherMethod) note("another method");
  const method = otherMethod
    ? dice.pick(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
    : operation.method;
  return {
    operation,
    draft: { method, target: path.text + query, headers, body: body.bytes },
    wrong,
    reaches: path.reaches && !otherMethod,
  };
}

type Note = (wrong: string | undefined) => void;

function pathOf(operation: Operation, dice: Dice, subject: Subject, note: Note): { text: string; reaches: boolean } {
  let reaches = true;
  const text = operation.path.replaceAll(/\{\w+\}/g, () => {
    const [name, id] = idOf(operation, dice, subject);
    note(name);
    if (/^$|[/?#]|^\.\.?$/.test(id)) reaches = false;
    return id;
  });
  if (!dice.oneIn(12)) return { text, reaches };
  const [name, change] = dice.pick(pathChanges);
  note(name);
  return { text: change(text), reaches: false };
}

function idOf(operation: Operation, dice: Dice, subject: Subject): [string | undefined, string] {
  // It would only end, again and again.
  const live = operation.method === "DELETE" && !dice.oneIn(60) ? "iunknown" : subject.sandbox.sandboxId;
  if (!dice.oneIn(3)) return [undefined, live];
  return dice.pick<[string, string]>([
    ["an unknown id", "i00000000000000000000"],
    ["an id with a client's", `${live}-client`],
    ["an empty id", ""],
    ["an id in capitals", live.toUpperCase()],
    ["an id of 129 letters", "i".repeat(129)],
    ["an id of 600 letters", "i".repeat(600)],
    ["an id of 9,000 letters", "i".repeat(9_000)],
    ["an encoded slash", `${live}%2fmetadata`],
    ["dots", ".."],
    ["an encoded way up", "..%2f..%2f..%2fetc%2fpasswd"],
    ["a way up encoded twice", "%252e%252e%252f"],
    ["a null byte", `${live}%00`],
    ["broken percent-encoding", "%zz"],
    ["percent-encoding cut off", "%e2%82"],
    ["an encoded id", [...live].map((c) => `%${c.charCodeAt(0).toString(16)}`).join("")],
    ["an emoji", "%F0%9F%98%80"],
    ["line ends", "a%0d%0aX-Injected:%201"],
    ["a quote", "%22%3E%3Cscript%3E"],
    ["a name of objects", dice.pick(["__proto__", "constructor", "toString"])],
    ["a wildcard", "*"],
    ["a parameter behind it", `${live};v=1`],
  ]);
}

const pathChanges: readonly [[string, (path: string) => string], ...[string, (path: string) => string][]] = [
  ["a slash behind the path", (path) => `${path}/`],
  ["slashes before the path", (path) => `//${path}`],
  ["dots in the path", (path) => `/./x/..${path}`],
  ["a path in capitals", (path) => path.toUpperCase()],
  ["a path that goes on", (path) => `${path}/more/and/more`],
  ["a backslash in the path", (path) => path.replaceAll("/", "\\")],
  ["a path of 12 KiB", (path) => path + "/x".repeat(6_000)],
  ["a semicolon", (path) => `${path};a=b`],
  ["the docs", () => "/docs/../docs/static/%2e%2e/%2e%2e/package.json"],
  ["the docs' files", () => "/docs/static/..%2f..%2f..%2fpackage.json"],
  ["a path of nothing", () => "/"],
];

function queryOf(operation: Operation, dice: Dice, note: Note): string {
  const pairs: string[] = [];
  for (const { name, schema } of operation.parameters.filter((parameter) => parameter.in === "query")) {
    if (!dice.oneIn(3)) continue;
    const broken = dice.oneIn(3);
    if (broken) note(`a wrong ${name}`);
    const value = broken ? forbiddenValue(schema, dice) : allowedValue(schema, dice);
    const text = Array.isArray(value) ? value.map(plain).join(",") : plain(value);
    pairs.push(`${name}=${dice.oneIn(12) ? rawQuery(text) : encodeURIComponent(text.toWellFormed().slice(0, 9_000))}`);
    if (dice.oneIn(15)) pairs.push(`${name}=again`);
  }
  if (dice.oneIn(12)) {
    note("a query of its own kind");
    pairs.push(
      dice.pick([
        "&&&",
        "=",
        "a[]=1&a[]=2",
        "__proto__=x",
        "constructor[prototype]=x",
        "%",
        "%zz=%",
        "?",
        `${"a=1&".repeat(2_000)}`,
      ]),
    );
  }
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}

function plain(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Printable ASCII without spaces; what the rest would do to the request's line has its own cases. */
function rawQuery(text: string): string {
  return text.replaceAll(/[^!-~]/g, "%").slice(0, 9_000);
}

function bodyOf({ definition }: Operation, dice: Dice, note: Note): JsonBody {
  const [media] = Object.values(definition.requestBody?.content ?? {});
  if (media === undefined && !dice.oneIn(20)) return { bytes: Buffer.alloc(0), wrong: undefined };
  const schema = media?.schema ?? { type: "object" };
  const broken = dice.oneIn(2);
  if (broken) note("a body against the schema");
  const value = broken ? forbiddenValue(schema, dice) : allowedValue(schema, dice);
  // Or next to no request would get past the template.
  const sensible = isObject(value) && "templateID" in value && dice.oneIn(3) ? { ...value, templateID: "base" } : value;
  const body = jsonText(sensible, dice, 4);
  note(body.wrong === undefined ? undefined : `a body ${body.wrong}`);
  return body;
}

function headersOf(operation: Operation, body: JsonBody, dice: Dice, subject: Subject, note: Note): [string, string][] {
  const headers: [string, string][] = [["Host", `127.0.0.1:${subject.ports.edge}`]];
  if (dice.oneIn(12)) {
    const [name, key] = keyOf(dice, subject);
    note(name);
    headers.push(...key.map((value): [string, string] => ["X-API-Key", value]));
  } else headers.push(["X-API-Key", subject.stack.apiKey]);
  if (body.bytes.length > 0 || dice.oneIn(20)) {
    const types = Object.keys(operation.definition.requestBody?.content ?? { "application/json": {} });
    const right = types[dice.int(0, types.length - 1)] ?? "application/json";
    const odd = dice.oneIn(10);
    if (odd) note("another media type");
    const type = odd
      ? dice.pick([
          "text/plain",
          "application/json; charset=utf-16",
          "APPLICATION/JSON",
          "multipart/form-data; boundary=x",
          "a",
          ";",
          "application/jsonx",
          "application/x-www-form-urlencoded",
          "\xff\xfe",
          "",
        ])
      : right;
    if (!dice.oneIn(25)) headers.push(["Content-Type", type]);
    if (dice.oneIn(40)) headers.push(["Content-Type", "application/json"]);
  }
  if (body.coding !== undefined) headers.push(["Content-Encoding", body.coding]);
  for (const { name } of operation.parameters.filter((parameter) => parameter.in === "header")) {
    if (!dice.oneIn(3)) continue;
    const value = dice.pick([
      '"1"',
      "*",
      '"',
      "",
      'W/"1"',
      '"99999999999999999999"',
      '"1", "2"',
      '"-1"',
      "\xff",
      '"a"',
      "x".repeat(300),
      '"1e3"',
    ]);
    note(`${name} ${value.slice(0, 20)}`);
    headers.push([name, value]);
  }
  if (dice.oneIn(15)) headers.push(["Accept", dice.pick(["text/html", "*/*;q=0", "\xff", "application/xml"])]);
  if (dice.oneIn(15)) headers.push(["Origin", dice.pick(["null", "https://a.example", "\xff", "x".repeat(2_000)])]);
  return headers;
}

function keyOf(dice: Dice, { stack }: Subject): [string, string[]] {
  return dice.pick<[string, string[]]>([
    ["no key", []],
    ["an empty key", [""]],
    ["a key of another kind", ["wrong"]],
    ["an unknown key", [`e2b_${"0".repeat(40)}`]],
    ["a key of 8,000 letters", [`e2b_${"a".repeat(8_000)}`]],
    ["two keys", [stack.apiKey, stack.apiKey]],
    ["a key that is not ASCII", ["e2b_\xe9"]],
    ["a key in capitals", [stack.apiKey.toUpperCase()]],
    ["a key with a quote", ["e2b_' OR 1=1 --"]],
  ]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
