import type { IncomingMessage, RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import {
  type Answer,
  ask,
  domain,
  executionId,
  open,
  type Rig,
  sandboxId,
  startRig,
  to,
  until,
} from "./testing/rig.ts";

const host = { Host: `80-${sandboxId}.${domain}` };

/** A server in the sandbox that says what it got. */
const mirror: RequestListener = (request, response) => {
  response.end(JSON.stringify({ url: request.url, method: request.method, raw: request.rawHeaders }));
};

function seen(answer: Pick<Answer, "body">): { url: string; method: string; headers: Map<string, string[]> } {
  const { url, method, raw }: { url: string; method: string; raw: string[] } = JSON.parse(answer.body);
  const headers = new Map<string, string[]>();
  for (let at = 0; at < raw.length; at += 2) {
    const name = String(raw[at]).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), String(raw[at + 1])]);
  }
  return { url, method, headers };
}

describe("what the code in a sandbox sees of a request", () => {
  test("no API key, no token of the edge, and none of the cluster's", async () => {
    const rig = await startRig({
      ports: { 80: mirror },
      target: { publicTraffic: false, trafficAccessToken: "traffic-secret" },
    });
    const { headers } = seen(
      await ask(rig, {
        headers: {
          ...to(80),
          "X-API-Key": "e2b_0123",
          "x-api-KEY": "e2b_4567",
          Authorization: "Bearer e2b_89ab",
          "E2B-Traffic-Access-Token": "traffic-secret",
          "Castellan-Execution": "guess",
          "Proxy-Authorization": "Basic abc",
        },
      }),
    );
    const all = JSON.stringify([...headers]);
    for (const secret of ["e2b_0123", "e2b_4567", "e2b_89ab", "traffic-secret", executionId, "guess", "Basic abc"]) {
      expect(all).not.toContain(secret);
    }
    expect(all).not.toContain(rig.gateway.clusterToken);
    expect(rig.gateway.connects[0]?.headers.authorization).toBe(`Bearer ${rig.gateway.clusterToken}`);
  });

  test("credentials that are for the code itself, the host name and the path, untouched", async () => {
    const rig = await startRig({ ports: { 80: mirror } });
    const basic = { Authorization: "Basic dXNlcjo=", "X-Access-Token": "daemon", Cookie: "a=b" };
    const path = "/a//b/../%2F%c3?q=%20&r=http://x/";
    const got = seen(await ask(rig, { method: "PURGE", path, headers: { ...host, ...basic } }));
    expect(got.url).toBe(path);
    expect(got.method).toBe("PURGE");
    expect(got.headers.get("host")).toEqual([host.Host]);
    expect(got.headers.get("authorization")).toEqual(["Basic dXNlcjo="]);
    expect(got.headers.get("x-access-token")).toEqual(["daemon"]);
    expect(got.headers.get("cookie")).toEqual(["a=b"]);
    const token = seen(await ask(rig, { headers: { ...host, Authorization: "Bearer app-token" } }));
    expect(token.headers.get("authorization")).toEqual(["Bearer app-token"]);
  });

  test("the client's address, host and scheme as the edge knows them, not as the client says", async () => {
    const rig = await startRig({ ports: { 80: mirror } });
    const forged = {
      "X-Forwarded-For": "6.6.6.6",
      "X-Forwarded-Host": "evil.example",
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Port": "666",
      "X-Real-IP": "6.6.6.6",
      Forwarded: "for=6.6.6.6",
    };
    const { headers } = seen(await ask(rig, { headers: { ...host, ...forged } }));
    expect(headers.get("x-forwarded-for")).toEqual(["127.0.0.1"]);
    expect(headers.get("x-forwarded-host")).toEqual([host.Host]);
    expect(headers.get("x-forwarded-proto")).toEqual(["http"]);
    for (const name of ["x-forwarded-port", "x-real-ip", "forwarded"]) expect(headers.has(name)).toBe(false);
  });

  test("nothing that is about the client's own connection, nor what that names", async () => {
    const rig = await startRig({ ports: { 80: mirror } });
    const { socket, received } = await open(rig);
    socket.write(
      `POST / HTTP/1.1\r\nHost: ${host.Host}\r\nConnection: close, X-Private, Content-Length, Host\r\nX-Private: 1\r\n` +
        "Keep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nTE: trailers, deflate\r\nContent-Length: 2\r\n\r\nhi",
    );
    await until("an answer", () => received().includes("\r\n\r\n{"));
    const { headers } = seen({ body: received().slice(received().indexOf("{")) });
    for (const name of ["x-private", "keep-alive", "proxy-connection"]) expect(headers.has(name)).toBe(false);
    expect(headers.get("connection")).toEqual(["keep-alive"]);
    expect(headers.get("te")).toEqual(["trailers"]);
    expect(headers.get("content-length")).toEqual(["2"]);
    expect(headers.get("host")).toEqual([host.Host]);
  });

  test("the routing headers that routed it, and none that did not", async () => {
    const rig = await startRig({ ports: { 80: mirror } });
    const byHeader = seen(await ask(rig, { headers: to(80) }));
    expect(byHeader.headers.get("e2b-sandbox-id")).toEqual([sandboxId]);
    const byHost = seen(await ask(rig, { headers: { ...host, ...to(81, "iother") } }));
    expect(byHost.headers.has("e2b-sandbox-id")).toBe(false);
    expect(byHost.headers.has("e2b-sandbox-port")).toBe(false);
  });

  test("a target in absolute form as a path, and the host as the Host header says", async () => {
    const rig = await startRig({ ports: { 80: mirror } });
    const got = seen(await ask(rig, { path: "http://other.example:1/a?b", headers: host }));
    expect(got.url).toBe("/a?b");
    expect(got.headers.get("host")).toEqual([host.Host]);
  });
});

describe("what a client sees of an answer", () => {
  test("status, reason, and every header as it was, also when it comes more than once", async () => {
    const rig = await startRig({
      ports: {
        80: (_, response) => {
          response.writeHead(418, "Short And Stout", ["Set-Cookie", "a=1", "set-cookie", "b=2", "X-Latin", "\u00e9"]);
          response.end("tea");
        },
      },
    });
    const { socket, received } = await open(rig);
    socket.write(`GET / HTTP/1.1\r\nHost: ${host.Host}\r\n\r\n`);
    await until("an answer", () => received().endsWith("0\r\n\r\n"));
    expect(received()).toMatch(
      /^HTTP\/1.1 418 Short And Stout\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Latin: \xe9\r\n/,
    );
  });

  test("no header about the connection inside, and none that speaks for an origin shared with the API", async () => {
    const rig = await startRig({
      ports: {
        80: (_, response) => {
          response.writeHead(200, {
            Connection: "close, X-Inside",
            "X-Inside": "1",
            "Clear-Site-Data": '"*"',
            "Strict-Transport-Security": "max-age=1",
            "Alt-Svc": 'h3=":1"',
          });
          response.end();
        },
      },
    });
    const shared = (await ask(rig, { headers: to(80) })).headers;
    expect(shared["x-inside"]).toBeUndefined();
    expect(shared["clear-site-data"]).toBeUndefined();
    expect(shared["strict-transport-security"]).toBeUndefined();
    expect(shared["alt-svc"]).toBeUndefined();
    const own = (await ask(rig, { headers: host })).headers;
    expect(own["x-inside"]).toBeUndefined();
    expect(own["clear-site-data"]).toBe('"*"');
  });
});

describe("pages of other origins", () => {
  const preflight = {
    Origin: "https://app.example",
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization,connect-protocol-version,e2b-sandbox-id",
  };

  async function expectAllowed(rig: Rig, headers: Record<string, string>, path = "/process.Process/Start") {
    const answer = await ask(rig, { method: "OPTIONS", path, headers });
    expect(answer.status).toBe(204);
    expect(answer.headers["access-control-allow-origin"]).toBe("*");
    expect(answer.headers["access-control-allow-methods"]).toContain("PATCH");
    expect(answer.headers["access-control-allow-headers"]).toBe(preflight["Access-Control-Request-Headers"]);
  }

  test("a preflight, which names no sandbox, is answered without the API or a sandbox", async () => {
    const rig = await startRig({ api: (_, response) => response.end("api") });
    await expectAllowed(rig, preflight);
    expect((await ask(rig, { method: "OPTIONS" })).body).toBe("api");
  });

  test("a preflight for a port whose server knows nothing of CORS, or that is closed, locked or gone, is allowed", async () => {
    const rig = await startRig({
      ports: { 80: (_, response) => response.writeHead(404).end("no") },
      target: { publicTraffic: false, trafficAccessToken: "secret" },
    });
    await expectAllowed(rig, { ...preflight, ...host });
    expect(rig.gateway.connects).toEqual([]);
    const open = await startRig({ ports: { 80: (_, response) => response.writeHead(404).end("no") } });
    await expectAllowed(open, { ...preflight, ...host });
    await expectAllowed(open, { ...preflight, Host: `81-${sandboxId}.${domain}` });
    await expectAllowed(open, { ...preflight, Host: `80-inone.${domain}` });
    await expectAllowed(open, { ...preflight, Host: `49983-${sandboxId}.${domain}` });
  });

  test("a server that has CORS rules of its own keeps them", async () => {
    const own = { "Access-Control-Allow-Origin": "https://app.example", "Access-Control-Allow-Credentials": "true" };
    const rig = await startRig({ ports: { 80: (_, response) => response.writeHead(200, own).end("own") } });
    for (const method of ["OPTIONS", "GET"]) {
      const answer = await ask(rig, { method, headers: { ...preflight, ...host } });
      expect(answer.body).toBe("own");
      expect(answer.headers["access-control-allow-origin"]).toBe("https://app.example");
      expect(answer.headers["access-control-expose-headers"]).toBeUndefined();
    }
  });

  test("any other answer may be read by every origin, with the headers that clients need", async () => {
    const rig = await startRig({ ports: { 80: (_, response) => response.end() } });
    for (const headers of [to(80), to(81), to(80, "inone"), { "E2b-Sandbox-Id": sandboxId }]) {
      const answer = await ask(rig, { headers });
      expect(answer.headers["access-control-allow-origin"]).toBe("*");
      for (const name of ["Location", "Cache-Control", "Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"]) {
        expect(answer.headers["access-control-expose-headers"]).toContain(name);
      }
    }
  });
});

describe("a sandbox without public traffic", () => {
  const target = { publicTraffic: false, trafficAccessToken: "the-right-one" };

  test("is entered with its token only, except for the daemon, which asks for its own", async () => {
    const rig = await startRig({ target, ports: { 80: mirror, 49983: mirror } });
    const token = (value: string) => ask(rig, { headers: { ...to(80), "e2b-traffic-access-token": value } });
    const missing = await ask(rig, { headers: to(80) });
    expect(missing.status).toBe(403);
    expect(missing.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(missing.body)).toEqual({
      sandboxId,
      message: "Sandbox is secured with traffic access token. Token header 'e2b-traffic-access-token' is missing",
      code: 403,
    });
    for (const wrong of ["the-right-on", "the-right-onf", "x"]) expect((await token(wrong)).status).toBe(403);
    expect(rig.gateway.connects).toEqual([]);
    expect((await token("the-right-one")).status).toBe(200);
    expect((await ask(rig, { headers: to(49983) })).status).toBe(200);
  });

  test("stays closed when it has no token at all", async () => {
    const rig = await startRig({ target: { publicTraffic: false }, ports: { 80: mirror } });
    expect((await ask(rig, { headers: { ...to(80), "e2b-traffic-access-token": "undefined" } })).status).toBe(403);
  });
});

describe("the node's own routes of the daemon", () => {
  test("are refused with 404 for any method and spelling, and only on the daemon's port", async () => {
    const reached: IncomingMessage[] = [];
    const app: RequestListener = (request, response) => {
      reached.push(request);
      response.end();
    };
    const rig = await startRig({ ports: { 49983: app, 80: app } });
    for (const path of ["/init", "/INIT/", "//x/init", "/%69nit?a", "/files/../fsthaw", "http://127.0.0.1/upgrade"]) {
      for (const method of ["POST", "GET", "OPTIONS", "HEAD"]) {
        const answer = await ask(rig, { method, path, headers: to(49983) });
        expect(answer.status).toBe(404);
        expect(answer.headers["content-type"]).toBe("application/json");
      }
    }
    expect(reached).toEqual([]);
    expect((await ask(rig, { method: "POST", path: "/init", headers: to(80) })).status).toBe(200);
    expect((await ask(rig, { path: "/files?path=/init", headers: to(49983) })).status).toBe(200);
  });
});
