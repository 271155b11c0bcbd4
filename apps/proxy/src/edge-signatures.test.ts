import type { IncomingMessage, RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { ask, domain, type Rig, type RigOptions, sandboxId, startRig } from "./testing/rig.ts";
import { signed, TokenList } from "./testing/signing.ts";

const api: RequestListener = (request, response) => {
  request.resume();
  response.end("api");
};

/** The daemon's part: says what it was asked, once it has read all of it. */
const daemon: RequestListener = async (request: IncomingMessage, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  response.setHeader("Set-Cookie", "a=b");
  response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`);
};

async function rigWith(list: TokenList, options: RigOptions = {}): Promise<Rig> {
  return await startRig({ api, liveTokens: list.list, ports: { 49983: daemon }, ...options });
}

function tokens(): TokenList {
  const list = new TokenList();
  list.fill(5);
  list.add(sandboxId, "secret");
  return list;
}

describe("a signed file URL under the API's origin", () => {
  test("reaches the sandbox whose token signed it, with its query as it was", async () => {
    const rig = await rigWith(tokens());
    const path = signed({ token: "secret", path: "/tmp/a b.txt", user: "root" });
    expect(await ask(rig, { path })).toMatchObject({ status: 200, body: `GET ${path} ` });
    expect(rig.asked.map((one) => one.sandboxId)).toEqual([sandboxId]);
  });

  test("takes uploads, with and without waiting for leave to send", async () => {
    const rig = await rigWith(tokens());
    const path = signed({ token: "secret", path: "a", operation: "write" });
    const plain = await ask(rig, { path, method: "POST" }, "content");
    expect(plain).toMatchObject({ status: 200, body: `POST ${path} content` });
    const headers = { Expect: "100-continue", "Content-Length": 7 };
    const waiting = await ask(rig, { path, method: "POST", headers }, "content");
    expect(waiting).toMatchObject({ status: 200, body: `POST ${path} content` });
  });

  test("is refused in the daemon's words when it has expired, or no token matches", async () => {
    const rig = await rigWith(tokens());
    const expired = await ask(rig, { path: signed({ token: "secret", expiration: 1 }) });
    expect(expired.status).toBe(401);
    expect(JSON.parse(expired.body)).toEqual({ code: 401, message: "signature is already expired" });
    const forged = await ask(rig, { path: signed({ token: "guess" }) });
    expect(forged.status).toBe(401);
    expect(JSON.parse(forged.body)).toEqual({ code: 401, message: "invalid signature" });
    expect(rig.gateway.connects).toEqual([]);
  });

  test("does not open any other path, and no other method", async () => {
    const rig = await rigWith(tokens());
    const query = signed({ token: "secret", path: "a" }).slice("/files".length);
    for (const path of [`/init${query}`, `/files/${query}`, `/files/../init${query}`, `//files${query}`]) {
      expect((await ask(rig, { path })).body).toBe("api");
    }
    expect((await ask(rig, { path: `/files${query}`, method: "DELETE" })).status).toBe(400);
    expect(rig.gateway.connects).toEqual([]);
  });

  test("is told apart from one that names no sandbox at all", async () => {
    const rig = await rigWith(tokens());
    const answer = await ask(rig, { path: "/files?path=a" });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).message).toContain("names no sandbox");
    const odd = await ask(rig, { path: `${signed({ token: "secret" })}&signature_expiration=soon` });
    expect(odd.status).toBe(400);
  });

  test("is not what decides where a sandbox is named", async () => {
    const list = tokens();
    const rig = await rigWith(list);
    const path = signed({ token: "wrong", path: "a" });
    const headers = { "E2b-Sandbox-Id": sandboxId, "E2b-Sandbox-Port": "49983" };
    expect((await ask(rig, { path, headers })).body).toBe(`GET ${path} `);
    expect((await ask(rig, { path, headers: { Host: `49983-${sandboxId}.${domain}` } })).body).toBe(`GET ${path} `);
    expect(list.asked).toBe(0);
  });

  test("gives a page of the sandbox no part in the API's origin", async () => {
    const rig = await rigWith(tokens());
    const { headers } = await ask(rig, { path: signed({ token: "secret", path: "page.html" }) });
    expect(headers["content-security-policy"]).toBe("sandbox");
    expect(headers["set-cookie"]).toBeUndefined();
  });

  test("of a sandbox that is gone is answered like any other request to it", async () => {
    const rig = await rigWith(tokens());
    rig.routes.delete(sandboxId);
    const answer = await ask(rig, { path: signed({ token: "secret", path: "a" }) });
    expect(JSON.parse(answer.body)).toEqual({ sandboxId, message: "The sandbox was not found", code: 502 });
  });

  test("asks for the sandbox's own host where there are too many to search", async () => {
    const rig = await rigWith(tokens(), { limits: { maxSearchedSandboxes: 5 } });
    const answer = await ask(rig, { path: signed({ token: "secret" }) });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).message).toMatch(/more than 5 secure sandboxes.*own host/);
  });

  test("is put off when there are too many of them", async () => {
    const rig = await rigWith(tokens(), { limits: { searchesPerClient: 250 } });
    const path = signed({ token: "secret", path: "a" });
    const answers = [];
    for (let i = 0; i < 3; i += 1) answers.push(await ask(rig, { path }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[2]?.headers["retry-after"]).toBe("1");
  });

  test("is not called wrong while the store is away", async () => {
    const list = tokens();
    list.away = true;
    const rig = await rigWith(list);
    const answer = await ask(rig, { path: signed({ token: "secret" }) });
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body).code).toBe(500);
  });
});

test("without a list of tokens such URLs are the API's to answer", async () => {
  const rig = await startRig({ api });
  expect((await ask(rig, { path: signed({ token: "secret" }) })).body).toBe("api");
});
