import { describe, expect, it } from "vitest";
import { longestHead, readRequestHead } from "./request-head.ts";

const read = (text: string) => readRequestHead(Buffer.from(text, "latin1"));
const first = (text: string) => {
  const reading = read(text);
  return reading.kind === "name" ? reading.first.toString("latin1") : undefined;
};

describe("the head of a request", () => {
  it("names its host, in lower case and without the port", () => {
    expect(read("GET /a?b HTTP/1.1\r\nHost: WWW.Example.com:80\r\n\r\n")).toMatchObject({ name: "www.example.com" });
    expect(read("OPTIONS * HTTP/1.0\r\nhost:example.com\r\n\r\n")).toMatchObject({ name: "example.com" });
  });

  it("goes on with the rest untouched, and no second request can follow", () => {
    const text =
      "POST / HTTP/1.1\r\nHost: a.com\r\nX-A: \xe9  b\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi";
    expect(first(text)).toBe(
      "POST / HTTP/1.1\r\nHost: a.com\r\nX-A: \xe9  b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
    );
  });

  it("may ask for a WebSocket and for no other protocol", () => {
    const ask = (to: string) => `GET / HTTP/1.1\r\nHost: a.com\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\n\r\n`;
    expect(first(ask("WebSocket"))).toContain("\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n");
    expect(first(ask("h2c"))).toBe("GET / HTTP/1.1\r\nHost: a.com\r\nConnection: close\r\n\r\n");
  });

  it("is waited for, however it is cut", () => {
    const text = "GET / HTTP/1.1\r\nHost: a.com\r\n\r\n";
    for (let end = 0; end < text.length; end += 1) expect(read(text.slice(0, end)).kind).toBe("more");
  });

  it.each([
    ["GET / HTTP/1.1\r\n\r\n", "does not name one host"],
    ["GET / HTTP/1.1\r\nHost: a.com\r\nHost: b.com\r\n\r\n", "does not name one host"],
    ["GET http://other.com/ HTTP/1.1\r\nHost: a.com\r\n\r\n", "not a request of HTTP/1 with a path"],
    ["CONNECT other.com:443 HTTP/1.1\r\nHost: a.com\r\n\r\n", "not a request of HTTP/1 with a path"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not a request of HTTP/1 with a path"],
    ["GET / HTTP/1.1\r\nHost : a.com\r\n\r\n", "malformed"],
    ["GET / HTTP/1.1\r\nHost: a.com\r\n b.com\r\n\r\n", "malformed"],
    ["GET / HTTP/1.1\r\nHost: a.com\nHost: b.com\r\n\r\n", "malformed"],
    ["GET / HTTP/1.1\r\nHost: a.com\r\nX: \0\r\n\r\n", "malformed"],
    ["\x16\x03\x01\x02\x00", "not HTTP"],
    ["ssh", "not HTTP"],
  ])("is refused when servers could read it otherwise: %j", (text, reason) => {
    expect(read(text)).toMatchObject({ kind: "refused", reason: expect.stringContaining(reason) });
  });

  it("is never waited for beyond its limit", () => {
    expect(read(`GET / HTTP/1.1\r\nX: ${"a".repeat(longestHead)}`)).toMatchObject({ kind: "refused" });
  });
});
