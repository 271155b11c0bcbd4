import { once } from "node:events";
import { connect } from "node:net";
import { CastellanError } from "@castellan/domain";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serveDocs } from "./docs.ts";
import type { Caller, Handlers, OperationReply, OperationRequest } from "./handlers.ts";
import { createRestServer } from "./server.ts";

type Patch = OperationRequest<"patchSandboxMetadata">;
type List = OperationRequest<"listSandboxes">;

const caller: Caller = {
  teamId: "team1",
  apiKeyId: "key1",
  team: { teamId: "team1", name: "Team", maxConcurrentSandboxes: 1 },
};

describe("the REST server", () => {
  let server: FastifyInstance;
  let url: string;
  let logged: { readonly fields: unknown; readonly message: string }[];
  /** What the handlers do in a test. */
  let onPatch: (request: Patch) => Promise<OperationReply<"patchSandboxMetadata">>;
  let onList: (request: List) => Promise<OperationReply<"listSandboxes">>;
  let onGet: (request: OperationRequest<"getSandbox">) => Promise<OperationReply<"getSandbox">>;
  let onCreate: (request: OperationRequest<"createSandbox">) => Promise<OperationReply<"createSandbox">>;
  let onConnect: (request: OperationRequest<"connectSandboxV2">) => Promise<OperationReply<"connectSandboxV2">>;

  beforeEach(async () => {
    logged = [];
    const fails = async (): Promise<never> => {
      throw new CastellanError("unimplemented", "not in this test");
    };
    onPatch = onList = onGet = onCreate = onConnect = fails;
    const handlers: Handlers = {
      getHealth: async () => ({
        status: 200,
        body: { status: "ok", version: "1", store: { kind: "sqlite", durability: "good" } },
      }),
      listNodes: fails,
      listRunningSandboxes: fails,
      createSandbox: (request) => onCreate(request),
      createSandboxV2: fails,
      listSandboxes: (request) => onList(request),
      getSandbox: (request) => onGet(request),
      killSandbox: async () => ({ status: 204 }),
      setSandboxTimeout: fails,
      refreshSandbox: fails,
      updateSandboxNetwork: fails,
      connectSandbox: fails,
      connectSandboxV2: (request) => onConnect(request),
      getSandboxMetadata: fails,
      patchSandboxMetadata: (request) => onPatch(request),
      getSandboxMetadataHistory: fails,
      getSandboxMetrics: fails,
      listSandboxMetrics: fails,
      getSandboxLogs: fails,
      createWebhook: fails,
      listWebhooks: fails,
      getWebhook: fails,
      updateWebhook: fails,
      deleteWebhook: fails,
      listWebhookDeadLetters: fails,
      listSandboxEvents: fails,
      listEventsOfSandbox: fails,
      getSandboxLogsV2: fails,
    };
    server = createRestServer({
      handlers,
      authenticate: async (key) => {
        if (key !== "good") throw new CastellanError("unauthenticated", "who are you");
        return caller;
      },
      logger: collectingLogger(logged),
      internalMessages: { patchSandboxMetadata: "Error patching sandbox metadata" },
    });
    await serveDocs(server);
    url = await server.listen({ host: "127.0.0.1", port: 0 });
  });
  afterEach(async () => {
    await server.close();
  });

  async function call(method: string, path: string, init: { body?: string; headers?: Record<string, string> } = {}) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        "X-API-Key": "good",
        ...(init.body === undefined ? {} : { "Content-Type": "application/json" }),
        ...init.headers,
      },
      ...(init.body === undefined ? {} : { body: init.body }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
      text,
    };
  }

  const state = (metadata: Record<string, string>) => ({ metadata, revision: 5, appliedRevision: 4 });

  test("a body's values are not coerced: a 5 stays a 5 and is refused, a null never becomes an empty string", async () => {
    const bodies: unknown[] = [];
    onPatch = async ({ body }) => {
      bodies.push(body);
      return { status: 200, body: state({}) };
    };
    const refused = await call("PATCH", "/sandboxes/i1/metadata", { body: '{"a":5}' });
    expect(refused.body).toEqual({ code: 400, message: "body/a must be string" });
    await call("PATCH", "/sandboxes/i1/metadata", { body: '{"a":null,"b":""}' });
    expect(bodies).toEqual([{ a: null, b: "" }]);
  });

  test("query parameters take the contract's types, and comma-joined arrays are taken apart", async () => {
    const queries: unknown[] = [];
    onList = async ({ query }) => {
      queries.push(query);
      return { status: 200, body: [] };
    };
    await call("GET", "/v2/sandboxes?limit=7&state=running,paused&unknown=x");
    await call("GET", "/v2/sandboxes?state=paused");
    await call("GET", "/v2/sandboxes?state=running&state=paused");
    expect(queries).toMatchObject([
      { limit: 7, state: ["running", "paused"] },
      { state: ["paused"] },
      { state: ["running", "paused"] },
    ]);
  });

  test.each([
    ["limit=0", "query/limit must be >= 1"],
    ["limit=101", "query/limit must be <= 100"],
    ["limit=x", "query/limit must be integer"],
    ["limit=1&limit=2", "query/limit must be integer"],
    ["state=gone", "query/state/0 must be equal to one of the allowed values: running, paused"],
    ["order=up", "query/order must be equal to one of the allowed values: asc, desc"],
    ["startedAfter=yesterday", 'query/startedAfter must match format "date-time"'],
  ])("the query %s is refused and the answer says why", async (query, message) => {
    expect((await call("GET", `/v2/sandboxes?${query}`)).body).toEqual({ code: 400, message });
  });

  test("members that the contract does not name are ignored, its own are checked", async () => {
    onCreate = async ({ body }) => ({
      status: 201,
      body: { templateID: body.templateID, sandboxID: "i1", clientID: "c", envdVersion: "1" },
    });
    expect((await call("POST", "/sandboxes", { body: '{"templateID":"base","new":1}' })).status).toBe(201);
    expect((await call("POST", "/sandboxes", { body: "{}" })).body).toEqual({
      code: 400,
      message: "body must have required property 'templateID'",
    });
    const large = await call("POST", "/sandboxes", { body: '{"templateID":"base","timeout":99999999999}' });
    expect(large.body).toEqual({ code: 400, message: 'body/timeout must match format "int32"' });
  });

  test("a required body that is missing is refused, an optional one may be left out", async () => {
    onConnect = async ({ body }) => ({
      status: 200,
      body: { templateID: String(body), sandboxID: "i1", clientID: "c", envdVersion: "1" },
    });
    expect((await call("POST", "/sandboxes")).body).toEqual({ code: 400, message: "A JSON body is required" });
    expect((await call("POST", "/v2/sandboxes/i1/connect")).body).toMatchObject({ templateID: "undefined" });
    const empty = await call("POST", "/v2/sandboxes/i1/connect", { body: "" });
    expect(empty.status).toBe(200);
  });

  test("a metadata key __proto__ comes in and goes out as a key", async () => {
    onPatch = async ({ body }) => {
      const metadata = Object.fromEntries(Object.entries(body).map(([key, value]) => [key, value ?? ""]));
      return { status: 200, body: state(metadata) };
    };
    const body = '{"__proto__":"a","constructor":"b","1":"c"}';
    const { text } = await call("PATCH", "/sandboxes/i1/metadata", { body });
    expect(text).toContain('"metadata":{"1":"c","__proto__":"a","constructor":"b"}');
  });

  test("a stranger is refused before the body is looked at, and health needs no key", async () => {
    const stranger = await call("POST", "/sandboxes", { body: "{not json", headers: { "X-API-Key": "bad" } });
    expect(stranger.body).toEqual({ code: 401, message: "who are you" });
    expect((await call("GET", "/health", { headers: { "X-API-Key": "" } })).body).toMatchObject({ status: "ok" });
  });

  test("an unknown path is a 404 and a wrong method a 405 that says what is allowed, whatever the body", async () => {
    expect((await call("GET", "/nothing")).body).toEqual({ code: 404, message: "There is no such path" });
    const wrong = await call("PUT", "/sandboxes/i1/metadata", {
      body: "<x/>",
      headers: { "Content-Type": "text/xml" },
    });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toBe("GET, PATCH");
    expect(wrong.body).toEqual({ code: 405, message: "This path takes GET, PATCH" });
    expect((await call("DELETE", "/v2/sandboxes")).headers.get("allow")).toBe("GET, POST");
  });

  test("a path that is not percent-encoding or too long is a 400 that does not repeat it", async () => {
    expect((await call("GET", "/sandboxes/%zz")).body).toEqual({
      code: 400,
      message: "The path is not valid percent-encoding",
    });
    expect((await call("GET", `/sandboxes/${"a".repeat(200)}`)).body).toMatchObject({ code: 400 });
    expect((await call("GET", `/sandboxes/${"a".repeat(600)}`)).body).toEqual({
      code: 400,
      message: "A part of the path is too long",
    });
  });

  test("a file that the docs do not have is a 404 in the shape of every other", async () => {
    const expected = { code: 404, message: "There is no such path" };
    expect((await call("GET", "/docs/static/..%2f..%2fpackage.json")).body).toEqual(expected);
  });

  test("a merge patch is taken where the contract says so and refused with 415 elsewhere", async () => {
    onPatch = async () => ({ status: 200, body: state({}) });
    const headers = { "Content-Type": "application/merge-patch+json" };
    expect((await call("PATCH", "/sandboxes/i1/metadata", { body: "{}", headers })).status).toBe(200);
    expect((await call("POST", "/sandboxes", { body: "{}", headers })).body).toEqual({
      code: 415,
      message: "The body must be application/json",
    });
    const text = { "Content-Type": "text/plain" };
    expect((await call("PATCH", "/sandboxes/i1/metadata", { body: "{}", headers: text })).body).toEqual({
      code: 415,
      message: "The body must be application/json or application/merge-patch+json",
    });
  });

  test("a body over 256 KiB is a 413, with a length and without", async () => {
    const body = JSON.stringify({ a: "x".repeat(256 * 1024) });
    const expected = { code: 413, message: "The body is over 256 KiB" };
    expect((await call("PATCH", "/sandboxes/i1/metadata", { body })).body).toEqual(expected);
    const chunks = new Blob([body]).stream();
    const init: RequestInit & { duplex: "half" } = {
      method: "PATCH",
      headers: { "X-API-Key": "good", "Content-Type": "application/json" },
      body: chunks,
      duplex: "half",
    };
    const chunked = await fetch(`${url}/sandboxes/i1/metadata`, init);
    expect(await chunked.json()).toEqual(expected);
  });

  test("an internal fault is logged with its cause and says nothing of it", async () => {
    onPatch = async () => {
      throw new Error("the password is swordfish");
    };
    onGet = async () => {
      throw new CastellanError("internal", "row 5 is odd", { cause: new Error("disk") });
    };
    const patched = await call("PATCH", "/sandboxes/i1/metadata", { body: "{}" });
    expect(patched.body).toEqual({ code: 500, message: "Error patching sandbox metadata" });
    expect((await call("GET", "/sandboxes/i1")).body).toEqual({ code: 500, message: "Internal error" });
    expect(logged.filter(({ message }) => message === "request failed")).toHaveLength(2);
    expect(logged[0]?.fields).toMatchObject({
      operationId: "patchSandboxMetadata",
      teamId: "team1",
      params: { sandboxID: "i1" },
    });
  });

  test("429 and 503 say when to come back", async () => {
    onCreate = async () => {
      throw new CastellanError("quota_exceeded", "too many", { retryAfterSeconds: 7 });
    };
    onGet = async () => {
      throw new CastellanError("unavailable", "not now");
    };
    const full = await call("POST", "/sandboxes", { body: '{"templateID":"base"}' });
    expect([full.status, full.headers.get("retry-after")]).toEqual([429, "7"]);
    const away = await call("GET", "/sandboxes/i1");
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "1"]);
  });

  test.each([
    ["not HTTP at all", "hello\r\n\r\n", 400],
    ["a wrong Content-Length", "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400],
    ["too long a path", `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  ])("%s is answered in the same shape", async (_name, request, code) => {
    const { port } = new URL(url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => {});
    let answer = "";
    socket.on("data", (chunk) => {
      answer += String(chunk);
    });
    socket.write(request);
    await once(socket, "close");
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toEqual({ code, message: expect.any(String) });
  });

  test("a connection that never asks anything does not hold up the end", async () => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => {});
    const closed = once(socket, "close");
    await server.close();
    await closed;
  });

  test("a handler learns that its client has gone", async () => {
    const aborting = new AbortController();
    const gone = new Promise<boolean>((resolve) => {
      onGet = async ({ signal }) => {
        aborting.abort();
        await once(signal, "abort");
        resolve(signal.aborted);
        throw new CastellanError("cancelled", "gone");
      };
    });
    const request = fetch(`${url}/sandboxes/i1`, { headers: { "X-API-Key": "good" }, signal: aborting.signal });
    await expect(request).rejects.toThrow();
    expect(await gone).toBe(true);
  });

  test("the document and a page to read it come from the server itself", async () => {
    const document = await call("GET", "/openapi.json");
    expect(document.body.paths["/sandboxes/{sandboxID}/metadata"].patch.operationId).toBe("patchSandboxMetadata");
    const page = await fetch(`${url}/docs`);
    const html = await page.text();
    expect(page.status).toBe(200);
    expect(html).toContain("swagger-ui");
    expect(html).not.toMatch(/(src|href)="https?:/);
    const policy = page.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toContain("upgrade-insecure-requests");
    const scripts = [...html.matchAll(/src="([^"]+)"/g)].map(([, path]) => new URL(path ?? "", `${page.url}/`));
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) {
      const response = await fetch(script);
      expect([response.status, (await response.text()).length > 100]).toEqual([200, true]);
    }
  });
});

function collectingLogger(into: { fields: unknown; message: string }[]): FastifyBaseLogger {
  const write = (fields: unknown, message?: unknown) => {
    into.push({ fields, message: String(message) });
  };
  const logger: FastifyBaseLogger = {
    level: "info",
    fatal: write,
    error: write,
    warn: () => {},
    info: () => {},
    debug: () => {},
    trace: () => {},
    silent: () => {},
    child: () => logger,
  };
  return logger;
}
