import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { type CastellanClient, createClient } from "./client.ts";
import { ApiError } from "./errors.ts";

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

describe("the client", () => {
  let server: Server;
  let client: CastellanClient;
  let seen: Seen[];
  let answer: (response: ServerResponse) => void;

  beforeEach(async () => {
    seen = [];
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      answer(response);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    client = createClient({ apiUrl: `${address()}/`, apiKey: "e2b_00", timeoutMs: 2_000 });
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });

  function address(): string {
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    return `http://127.0.0.1:${bound.port}`;
  }

  const json =
    (status: number, body: unknown, headers: Record<string, string> = {}) =>
    (response: ServerResponse) =>
      response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  const state = { metadata: { a: "1" }, revision: 7, appliedRevision: 7 };

  test("an edit sends only what it names, with the revision that it expects", async () => {
    answer = json(200, state);
    const result = await client.metadata.patch("i1", { a: "1", b: null, c: "" }, { ifRevision: 6 });
    expect(result).toEqual({ ...state, confirmed: true });
    expect(seen).toMatchObject([
      {
        method: "PATCH",
        url: "/sandboxes/i1/metadata",
        headers: { "x-api-key": "e2b_00", "if-match": '"6"', "content-type": "application/json" },
      },
    ]);
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ a: "1", b: null, c: "" });
  });

  test("an edit carries the name that its caller gives it", async () => {
    answer = json(200, state);
    await client.metadata.patch("i1", { a: "1" }, { idempotencyKey: "deploy 17" });
    expect(seen[0]?.headers).toMatchObject({ "idempotency-key": "deploy 17" });
    expect(seen[0]?.headers).not.toHaveProperty("if-match");
  });

  test("the history comes in pages, in the client's words", async () => {
    const change = { time: "2026-01-01T00:00:00Z", revision: 7, kind: "edited", delta: { a: null } };
    answer = json(200, { changes: [{ ...change, apiKeyID: "k" }, change], oldestRevision: 3 });
    expect(await client.metadata.history("i1", { limit: 2, before: 9 })).toEqual({
      changes: [{ ...change, apiKeyId: "k" }, change],
      oldestRevision: 3,
    });
    expect(seen[0]?.url).toBe("/sandboxes/i1/metadata/history?limit=2&before=9");
  });

  test("a 202 is an edit that the node has not confirmed yet", async () => {
    answer = json(202, { ...state, appliedRevision: 3 });
    expect(await client.metadata.patch("i1", { a: "1" })).toEqual({ ...state, appliedRevision: 3, confirmed: false });
  });

  test("reading answers map and revisions", async () => {
    answer = json(200, state);
    expect(await client.metadata.get("i1")).toEqual(state);
  });

  test("every operation is typed by the contract, with comma-joined lists", async () => {
    answer = json(200, []);
    const { data } = await client.api.GET("/v2/sandboxes", {
      params: { query: { state: ["running", "paused"], limit: 5 } },
    });
    expectTypeOf(data).extract<undefined>().toEqualTypeOf<undefined>();
    expect(data).toEqual([]);
    expect(seen[0]?.url).toBe("/v2/sandboxes?state=running,paused&limit=5");
  });

  test("a create needs no more than a template", async () => {
    answer = json(201, { templateID: "base", sandboxID: "i1", clientID: "c", envdVersion: "1" });
    const { data } = await client.api.POST("/v2/sandboxes", { body: { templateID: "base" } });
    expect(data?.sandboxID).toBe("i1");
  });

  test("an error carries status, message and when to try again", async () => {
    answer = json(429, { code: 429, message: "too many" }, { "Retry-After": "7" });
    const failure = client.api.POST("/v2/sandboxes", { body: { templateID: "base" } });
    await expect(failure).rejects.toBeInstanceOf(ApiError);
    await expect(failure).rejects.toMatchObject({ status: 429, message: "too many", retryAfterSeconds: 7 });
    answer = json(412, { code: 412, message: "another revision" });
    await expect(client.metadata.patch("i1", {}, { ifRevision: 1 })).rejects.toMatchObject({ status: 412 });
  });

  test("an error without a body of ours is told by what there is", async () => {
    answer = (response) => response.writeHead(502, { "Content-Type": "text/html" }).end("<h1>Bad Gateway</h1>");
    await expect(client.metadata.get("i1")).rejects.toMatchObject({ status: 502, message: "<h1>Bad Gateway</h1>" });
    answer = (response) => response.writeHead(503).end();
    await expect(client.metadata.get("i1")).rejects.toMatchObject({ status: 503, message: "Service Unavailable" });
  });

  test("a service that does not answer in time, or is not there, is a status 0", async () => {
    answer = () => {};
    const hasty = createClient({ apiUrl: address(), apiKey: "e2b_00", timeoutMs: 50 });
    await expect(hasty.metadata.get("i1")).rejects.toMatchObject({
      status: 0,
      message: expect.stringContaining("in time"),
    });
    const lost = createClient({ apiUrl: "http://127.0.0.1:1", apiKey: "e2b_00" });
    await expect(lost.metadata.get("i1")).rejects.toMatchObject({
      status: 0,
      message: expect.stringContaining("reached"),
    });
  });

  test("a caller that gives up sees its own reason", async () => {
    answer = () => {};
    const giving = new AbortController();
    const reading = client.metadata.get("i1", { signal: giving.signal });
    giving.abort(new Error("changed my mind"));
    await expect(reading).rejects.toThrow("changed my mind");
  });
});
