import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, errorBody, startCluster } from "./testing/cluster.ts";

/** A request, and word for word what it is answered with. ID stands for the id of a sandbox that runs. */
interface Case {
  readonly about: string;
  readonly request: readonly [method: string, path: string, body?: unknown];
  readonly answer: readonly [status: number, message: string];
  /** `null` sends none. */
  readonly key?: string | null;
}

const missing = "Sandbox \"inosuchsandbox\" doesn't exist or you don't have access to it";
const create = (body: object) => ["POST", "/sandboxes", { templateID: "base", ...body }] as const;

/** What clients of the protocol match or show. */
const cases: readonly Case[] = [
  // Who asks
  {
    about: "no key",
    request: ["GET", "/v2/sandboxes"],
    key: null,
    answer: [401, "The X-API-Key header is missing"],
  },
  {
    about: "a key of another form",
    request: ["GET", "/v2/sandboxes"],
    key: "sk-123",
    answer: [401, "Invalid API key format"],
  },
  {
    about: "a key that nobody has",
    request: ["GET", "/v2/sandboxes"],
    key: `e2b_${"0".repeat(40)}`,
    answer: [401, "Cannot get the team for the given API key"],
  },

  // Create
  {
    about: "a template that is not there",
    request: ["POST", "/sandboxes", { templateID: "nothing" }],
    answer: [404, "template 'nothing' not found"],
  },
  { about: "no time to live", request: create({ timeout: 0 }), answer: [400, "Timeout must be greater than 0"] },
  { about: "a negative time", request: create({ timeout: -1 }), answer: [400, "Timeout must be greater than 0"] },
  {
    about: "more than a day",
    request: create({ timeout: 86_401 }),
    answer: [400, "Timeout cannot be greater than 24 hours"],
  },
  {
    about: "a file-system pause without a pause",
    request: create({ autoPauseMemory: false }),
    answer: [400, "autoPauseMemory=false only applies when autoPause is true."],
  },
  {
    about: "a file-system pause that traffic is to end",
    request: create({ autoPause: true, autoPauseMemory: false, autoResume: { enabled: true } }),
    answer: [
      400,
      "autoPauseMemory=false (filesystem-only auto-pause) cannot be combined with autoResume: a filesystem-only snapshot cannot be auto-resumed by traffic and must be resumed explicitly.",
    ],
  },
  {
    about: "closed ports without a token for commands",
    request: create({ network: { allowPublicTraffic: false } }),
    answer: [
      400,
      "You cannot create a sandbox without public access unless you enable secure envd access via 'secure' flag.",
    ],
  },
  {
    about: "volumes",
    request: create({ volumeMounts: [{ name: "v", path: "/v" }] }),
    answer: [400, "Volume mounts are not enabled."],
  },
  {
    about: "a pause at the end",
    request: create({ autoPause: true }),
    answer: [400, "autoPause is not supported yet"],
  },
  { about: "no body", request: ["POST", "/sandboxes"], answer: [400, "A JSON body is required"] },
  {
    about: "no template",
    request: ["POST", "/sandboxes", {}],
    answer: [400, "body must have required property 'templateID'"],
  },

  // One sandbox that is not there
  { about: "describe", request: ["GET", "/sandboxes/inosuchsandbox"], answer: [404, missing] },
  { about: "kill", request: ["DELETE", "/sandboxes/inosuchsandbox"], answer: [404, missing] },
  {
    about: "the older form of an id",
    request: ["GET", "/sandboxes/inosuchsandbox-6532622b"],
    answer: [404, missing],
  },
  { about: "timeout", request: ["POST", "/sandboxes/inosuchsandbox/timeout", { timeout: 60 }], answer: [404, missing] },
  { about: "refresh", request: ["POST", "/sandboxes/inosuchsandbox/refreshes", {}], answer: [404, missing] },
  { about: "connect", request: ["POST", "/sandboxes/inosuchsandbox/connect", { timeout: 60 }], answer: [404, missing] },
  { about: "connect, newer", request: ["POST", "/v2/sandboxes/inosuchsandbox/connect", {}], answer: [404, missing] },
  { about: "metadata", request: ["GET", "/sandboxes/inosuchsandbox/metadata"], answer: [404, missing] },
  { about: "edit", request: ["PATCH", "/sandboxes/inosuchsandbox/metadata", { a: "1" }], answer: [404, missing] },
  { about: "metrics", request: ["GET", "/sandboxes/inosuchsandbox/metrics"], answer: [404, missing] },
  { about: "logs", request: ["GET", "/sandboxes/inosuchsandbox/logs"], answer: [404, missing] },
  { about: "logs, newer", request: ["GET", "/v2/sandboxes/inosuchsandbox/logs"], answer: [404, missing] },
  { about: "network", request: ["PUT", "/sandboxes/inosuchsandbox/network", {}], answer: [404, missing] },

  // One that is there
  {
    about: "a life of more than a day",
    request: ["POST", "/sandboxes/ID/timeout", { timeout: 86_401 }],
    answer: [400, "Timeout cannot be greater than 24 hours"],
  },
  {
    about: "a connection for more than a day",
    request: ["POST", "/sandboxes/ID/connect", { timeout: 86_401 }],
    answer: [400, "Timeout cannot be greater than 24 hours"],
  },
  {
    about: "a range that ends before it begins",
    request: ["GET", "/sandboxes/ID/metrics?start=2&end=1"],
    answer: [400, "Invalid time range for metrics"],
  },

  // Lists
  { about: "a token of no list", request: ["GET", "/v2/sandboxes?nextToken=x"], answer: [400, "Invalid next token"] },
  {
    about: "tags that are no tags",
    request: ["GET", "/v2/sandboxes?metadata=a"],
    answer: [400, "Error parsing metadata: it must be key=value pairs joined with &"],
  },
  {
    about: "an id that cannot be one",
    request: ["GET", "/sandboxes/metrics?sandbox_ids=%21"],
    answer: [400, "Invalid sandbox ID"],
  },

  // Paths
  { about: "a path that is not there", request: ["GET", "/nothing"], answer: [404, "There is no such path"] },
  { about: "another method", request: ["PUT", "/v2/sandboxes", {}], answer: [405, "This path takes GET, POST"] },
];

describe("what clients read of an error", () => {
  let cluster: Cluster;
  let id: string;
  beforeAll(async () => {
    cluster = await startCluster({ loops: false });
    id = await cluster.create();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it.each(cases)("is the same word for word: $about", async ({ request: [method, path, body], answer, key }) => {
    const options = { ...(body === undefined ? {} : { body }), ...(key === undefined ? {} : { key }) };
    const { status, body: answered } = await cluster.call(method, path.replace("ID", id), options);
    expect([status, answered]).toEqual([answer[0], errorBody(...answer)]);
  });

  it("is the same word for word while a sandbox is being killed", async () => {
    await using other = await startCluster({ loops: false });
    const killed = await other.create();
    other.node.hooks.delete = () => new Promise(() => {});
    void other.call("DELETE", `/sandboxes/${killed}`).catch(() => undefined);
    await expect
      .poll(async () => (await other.call("PATCH", `/sandboxes/${killed}/metadata`, { body: { a: "1" } })).body)
      .toEqual(errorBody(409, `Sandbox "${killed}" is being killed`));
    for (const [path, body] of [
      ["timeout", { timeout: 60 }],
      ["refreshes", {}],
      ["connect", { timeout: 60 }],
    ] as const) {
      const answer = await other.call("POST", `/sandboxes/${killed}/${path}`, { body });
      expect([path, answer.status, answer.body]).toEqual([
        path,
        409,
        errorBody(409, `Sandbox "${killed}" is being killed`),
      ]);
    }
  });
});
