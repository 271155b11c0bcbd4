import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, errorBody, startCluster } from "./testing/cluster.ts";

describe("the API as a whole", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  test.each([
    ["no key", null, "The X-API-Key header is missing"],
    ["a malformed key", "sk_1", "Invalid API key format"],
    ["a key in capitals", "e2b_ABC", "Invalid API key format"],
    ["an unknown key", `e2b_${"0".repeat(40)}`, "Cannot get the team for the given API key"],
  ])("%s is a 401 that says so", async (_name, key, message) => {
    for (const path of ["/sandboxes", "/v2/sandboxes", "/nodes", "/sandboxes/i1/metadata"]) {
      expect((await cluster.call("GET", path, { key })).body).toEqual(errorBody(401, message));
    }
  });

  test("a key that is added works at once, and is stored as a hash only", async () => {
    const key = await cluster.addTeam("team3");
    expect((await cluster.call("GET", "/sandboxes", { key })).status).toBe(200);
    const hash = createHash("sha256").update(key).digest("hex");
    expect(await cluster.store.findApiKey(hash)).toMatchObject({ team: { teamId: "team3" } });
  });

  test("health tells the store's durability, and needs no key", async () => {
    const { status, body } = await cluster.call("GET", "/health", { key: null });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "ok", store: { kind: "sqlite", durability: expect.stringContaining("WAL") } });
  });

  test("nodes are listed with what they can do", async () => {
    expect((await cluster.call("GET", "/nodes")).body).toMatchObject([
      {
        nodeID: "node1",
        bootID: cluster.node.bootId,
        status: "ready",
        address: cluster.node.address,
        capacity: { sandboxes: 100, cpuCount: 2 },
        capabilities: { pauseWithMemory: false },
      },
    ]);
  });

  test("an OPTIONS that is no preflight gets no answer of another shape", async () => {
    const answer = await cluster.call("OPTIONS", "/sandboxes");
    expect([answer.status, answer.body]).toEqual([204, undefined]);
  });

  test("a page of any origin may ask, with any header and every method that there is", async () => {
    const preflight = await fetch(`${cluster.url}/sandboxes/i1/metadata`, {
      method: "OPTIONS",
      headers: {
        Origin: "https://app.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "x-api-key,if-match,idempotency-key,lang_version,sdk_runtime",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("idempotency-key");
    const answer = await cluster.call("GET", "/v2/sandboxes", { headers: { Origin: "https://app.example" } });
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    const exposed = answer.headers.get("access-control-expose-headers");
    for (const header of ["X-Next-Token", "X-Total-Running", "Retry-After", "ETag"]) expect(exposed).toContain(header);
    const refused = await cluster.call("GET", "/v2/sandboxes", {
      key: null,
      headers: { Origin: "https://app.example" },
    });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "*"]);
  });

  test.each([
    ["PUT", "/sandboxes", "GET, POST"],
    ["DELETE", "/sandboxes/i1/timeout", "POST"],
    ["POST", "/sandboxes/i1/metadata", "GET, PATCH"],
    ["GET", "/v2/sandboxes/i1/connect", "POST"],
  ])("%s %s is a 405 that names %s", async (method, path, allowed) => {
    const answer = await cluster.call(method, path);
    expect(answer.body).toEqual(errorBody(405, expect.any(String)));
    expect(answer.headers.get("allow")).toBe(allowed);
  });

  test("an unknown path is a 404 in the same shape", async () => {
    expect((await cluster.call("GET", "/v9/sandboxes")).body).toEqual(errorBody(404, expect.any(String)));
  });
});
