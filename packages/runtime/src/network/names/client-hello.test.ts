import { once } from "node:events";
import { createServer } from "node:net";
import { connect } from "node:tls";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientHello } from "../../testing/client-hello.ts";
import { longestHello, readClientHello } from "./client-hello.ts";

describe("the first message of a TLS client", () => {
  it("names its server, in lower case, and what came is passed on as it is", () => {
    const hello = Buffer.concat([clientHello({ names: ["WWW.Example.com"] }), Buffer.from("early")]);
    expect(readClientHello(hello)).toEqual({ kind: "name", name: "www.example.com", first: hello });
  });

  it("is read as a real client writes it", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const client = connect({ host: "127.0.0.1", port, servername: "www.example.com", ALPNProtocols: ["h2"] });
    client.on("error", () => {});
    const [socket] = await once(server, "connection");
    const [bytes] = await once(socket, "data");
    client.destroy();
    socket.destroy();
    server.close();
    expect(readClientHello(bytes)).toMatchObject({ kind: "name", name: "www.example.com" });
  });

  it("is waited for, however it is cut into packets and records", () => {
    for (const perRecord of [16_000, 200, 60]) {
      const hello = clientHello({ names: ["example.com"], padding: 300, perRecord });
      for (let end = 0; end < hello.length; end += 1) {
        expect(readClientHello(hello.subarray(0, end)).kind).toBe("more");
      }
      expect(readClientHello(hello)).toMatchObject({ kind: "name", name: "example.com" });
    }
  });

  it.each([
    ["names no server", clientHello()],
    ["names two servers", clientHello({ names: ["allowed.example.com", "other.example.com"] })],
    ["is encrypted", clientHello({ names: ["allowed.example.com"], encrypted: true })],
    ["too many records", clientHello({ names: ["example.com"], perRecord: 4 })],
    ["not TLS", Buffer.from("GET / HTTP/1.1\r\n")],
    ["not TLS", Buffer.from("SSH-2.0-x\r\n")],
    ["not a ClientHello", Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
    ["too long", Buffer.from([22, 3, 1, 64, 0, 1, 0, 255, 255])],
    ["malformed", broken()],
  ])("is refused when it %s", (reason, bytes) => {
    expect(readClientHello(bytes)).toMatchObject({ kind: "refused", reason: expect.stringContaining(reason) });
  });

  it("is never waited for beyond its limit", () => {
    const endless = Buffer.concat([Buffer.from([22, 3, 1, 64, 0, 1, 0, 63, 0]), Buffer.alloc(longestHello * 2)]);
    expect(readClientHello(endless).kind).toBe("refused");
  });

  it("is read or refused without a fault, whatever the bytes are", () => {
    const hello = clientHello({ names: ["example.com"], padding: 20 });
    const changed = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const bytes = Buffer.from(hello);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(changed, any), (bytes) => {
        expect(["more", "name", "refused"]).toContain(readClientHello(bytes).kind);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The list of extensions ends in the middle of one. */
function broken(): Buffer {
  const hello = clientHello({ names: ["example.com"] });
  hello.writeUInt16BE(9_999, hello.length - 5);
  return hello;
}
