import { Sandbox } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metadataState, request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

const unknownSandbox = "i00000000000000000000";

describe.runIf(canRunSandboxes)("bad input is answered clearly and changes nothing", () => {
  let stack: Stack;
  let sandbox: Sandbox;
  const path = () => `/sandboxes/${sandbox.sandboxId}/metadata`;

  beforeAll(async () => {
    stack = await startStack();
    sandbox = await Sandbox.create("base", { ...connectionOptions(stack), metadata: { here: "before" } });
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  const manyKeys = Object.fromEntries(Array.from({ length: 256 }, (_, index) => [`k${index}`, "v"]));
  const largeWhole = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, "v".repeat(4096)]));
  const edits: readonly [string, unknown, number, RegExp][] = [
    ["an array", [], 400, /object/],
    ["a string", '"text"', 400, /object/],
    ["null", "null", 400, /JSON body/],
    ["a number as value", { key: 5 }, 400, /string/],
    ["a boolean as value", { key: true }, 400, /string/],
    ["an object as value", { key: { deep: "x" } }, 400, /string/],
    ["an array as value", { key: ["x"] }, 400, /string/],
    ["an empty key", { "": "x" }, 400, /empty/],
    ["a lone surrogate in a value", '{"key":"\\ud800"}', 400, /surrogate/],
    ["a lone surrogate in a key", '{"\\udc00":"x"}', 400, /surrogate/],
    ["a key of 257 bytes", { ["k".repeat(257)]: "x" }, 400, /256 bytes/],
    ["a key of 129 two-byte letters", { ["é".repeat(129)]: "x" }, 400, /256 bytes/],
    ["a value over 4 KiB", { key: "v".repeat(4097) }, 400, /4096 bytes/],
    ["more than 256 keys after the merge", manyKeys, 400, /256 keys/],
    ["more than 64 KiB after the merge", largeWhole, 400, /65536 bytes/],
    ["malformed JSON", '{"key":', 400, /./],
    ["no body", "", 400, /./],
    ["a body over 256 KiB", `{"key":"${"v".repeat(256 * 1024)}"}`, 413, /./],
  ];

  test.each(edits)("an edit with %s", async (_name, body, status, message) => {
    const before = metadataState(await request(stack, "GET", path()));
    const answer = await request(stack, "PATCH", path(), { body });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ code: status, message: expect.stringMatching(message) });
    expect(metadataState(await request(stack, "GET", path()))).toEqual(before);
  });

  test("the largest edit that is allowed is taken, to the byte", async () => {
    const one = await Sandbox.create("base", connectionOptions(stack));
    try {
      const edge = { ["k".repeat(256)]: "v".repeat(4096), é: "v".repeat(4096) };
      const answer = await request(stack, "PATCH", `/sandboxes/${one.sandboxId}/metadata`, { body: edge });
      expect(answer.status).toBe(200);
      expect(metadataState(answer).metadata).toEqual(edge);
    } finally {
      await one.kill();
    }
  });

  const conditions: readonly [string, string, number][] = [
    ["that is no tag", "abc", 400],
    ["that is a weak tag", 'W/"1"', 400],
    ["that is another revision", '"1"', 412],
  ];
  test.each(conditions)("a condition %s", async (_name, condition, status) => {
    const before = metadataState(await request(stack, "GET", path()));
    const answer = await request(stack, "PATCH", path(), {
      body: { here: "after" },
      headers: { "If-Match": condition },
    });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ code: status, message: expect.any(String) });
    expect(metadataState(await request(stack, "GET", path()))).toEqual(before);
  });

  test("another media type than JSON", async () => {
    const headers = { "content-type": "text/plain" };
    const answer = await request(stack, "PATCH", path(), { body: '{"here":"after"}', headers });
    expect(answer.status).toBe(415);
    expect(answer.body).toMatchObject({ code: 415 });
  });

  test("an unknown sandbox, in the words that clients match", async () => {
    const message = `Sandbox "${unknownSandbox}" doesn't exist or you don't have access to it`;
    for (const [method, rest] of [
      ["GET", ""],
      ["DELETE", ""],
      ["GET", "/metadata"],
      ["PATCH", "/metadata"],
      ["POST", "/timeout"],
      ["POST", "/connect"],
    ] as const) {
      const body = method === "PATCH" ? {} : method === "POST" ? { timeout: 10 } : undefined;
      const answer = await request(stack, method, `/sandboxes/${unknownSandbox}${rest}`, { body });
      expect([method, rest, answer.status, answer.body]).toEqual([method, rest, 404, { code: 404, message }]);
    }
  });

  test("ids that cannot be", async () => {
    for (const id of ["UPPER", "a_b", "%00", "..%2f..", "x".repeat(200), "%F0%9F%98%80"]) {
      const answer = await request(stack, "GET", `/sandboxes/${id}`);
      expect([id, answer.status >= 400 && answer.status < 500]).toEqual([id, true]);
      expect(answer.body).toMatchObject({ code: answer.status, message: expect.any(String) });
    }
  });

  test("a missing, malformed or unknown key", async () => {
    for (const key of ["", "wrong", "e2b_", `e2b_${"0".repeat(40)}`, "x".repeat(4000)]) {
      const headers = { "X-API-Key": key };
      const answer = await request(stack, "PATCH", path(), { body: { here: "after" }, headers });
      expect([key.length, answer.status]).toEqual([key.length, 401]);
      expect(answer.body).toEqual({ code: 401, message: expect.any(String) });
    }
    expect(metadataState(await request(stack, "GET", path())).metadata).toEqual({ here: "before" });
  });

  test("wrong methods and unknown paths", async () => {
    const wrong = await request(stack, "PUT", path(), { body: {} });
    expect(wrong.status).toBe(405);
    expect(wrong.body).toMatchObject({ code: 405 });
    expect(wrong.headers.get("allow")?.split(/, */)).toEqual(expect.arrayContaining(["GET", "PATCH"]));
    const nowhere = await request(stack, "GET", "/nowhere");
    expect(nowhere.status).toBe(404);
    expect(nowhere.body).toMatchObject({ code: 404 });
  });

  const creations: readonly [string, unknown, number, RegExp][] = [
    ["no template", {}, 400, /templateID/],
    ["an unknown template", { templateID: "no-such" }, 404, /no-such/],
    ["a timeout of zero", { templateID: "base", timeout: 0 }, 400, /Timeout must be greater than 0/],
    ["a negative timeout", { templateID: "base", timeout: -5 }, 400, /Timeout must be greater than 0/],
    ["a timeout in words", { templateID: "base", timeout: "15" }, 400, /timeout/],
    ["metadata that is a list", { templateID: "base", metadata: [] }, 400, /metadata/i],
    ["metadata with a number", { templateID: "base", metadata: { key: 5 } }, 400, /metadata|string/i],
    ["metadata with an empty key", { templateID: "base", metadata: { "": "x" } }, 400, /empty/],
    ["a domain as denied destination", { templateID: "base", network: { denyOut: ["example.com"] } }, 400, /denyOut/],
    ["malformed JSON", '{"templateID":', 400, /./],
  ];
  test.each(creations)("a creation with %s", async (_name, body, status, message) => {
    for (const route of ["/sandboxes", "/v2/sandboxes"]) {
      const answer = await request(stack, "POST", route, { body });
      expect([route, answer.status]).toEqual([route, status]);
      expect(answer.body).toEqual({ code: status, message: expect.stringMatching(message) });
    }
    const list = await request(stack, "GET", "/v2/sandboxes");
    expect(list.body).toHaveLength(1);
  });

  test("a creation without public traffic and without tokens, which only the older route allows to ask for", async () => {
    const body = { templateID: "base", network: { allowPublicTraffic: false } };
    const answer = await request(stack, "POST", "/sandboxes", { body });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({ code: 400, message: expect.stringMatching(/secure/) });
  });

  test("lists with a bad limit, cursor, state or filter", async () => {
    for (const query of [
      "limit=0",
      "limit=101",
      "limit=x",
      "nextToken=%00garbage",
      "state=flying",
      "order=up",
      "startedAfter=soon",
    ]) {
      const answer = await request(stack, "GET", `/v2/sandboxes?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
      expect(answer.body).toMatchObject({ code: 400 });
    }
  });

  test("lifetimes that make no sense", async () => {
    const before = await sandbox.getInfo();
    for (const body of [{}, { timeout: -1 }, { timeout: "5" }, { timeout: 1e12 }, { timeout: 1.5 }]) {
      const answer = await request(stack, "POST", `/sandboxes/${sandbox.sandboxId}/timeout`, { body });
      expect([JSON.stringify(body), answer.status]).toEqual([JSON.stringify(body), 400]);
    }
    expect((await sandbox.getInfo()).endAt).toEqual(before.endAt);
  });
});
