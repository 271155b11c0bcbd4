import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { clientHello } from "../../testing/client-hello.ts";
import { type FakeInternet, fakeInternet } from "../../testing/fake-internet.ts";
import { type NameServer, nameServer } from "../../testing/name-server.ts";
import { silent } from "../../testing/test-node.ts";
import { cannotRun } from "../../testing/test-rootfs.ts";
import { parseIpv4Block } from "../addresses.ts";
import { NameFilter, type NameFilterLimits } from "./name-filter.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 600_000 });

/** Where the test's own connections come from. */
const sandbox = "127.0.0.1";
const accessDenied = "\x15\x03\x03\0\x02\x02\x31";

describe.skipIf(cannotRun !== undefined)(`the filter by names${cannotRun ? ` (${cannotRun})` : ""}`, () => {
  let net: FakeInternet;
  let dns: NameServer;
  let filter: NameFilter;
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    net = await fakeInternet("ctfnet");
    dns = await nameServer(net.host, {});
    await start();
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await filter.close();
    await start();
  });
  afterAll(async () => {
    await filter?.close();
    dns?.close();
    await net?.close();
  });

  async function start(limits: Partial<NameFilterLimits> = {}): Promise<void> {
    dns.names.clear();
    dns.names.set("allowed.example.com", [net.world]);
    dns.names.set("deep.sub.example.com", [net.otherWorld]);
    dns.names.set("other.example.net", [net.otherWorld]);
    dns.asked.length = 0;
    const forbidden = [parseIpv4Block("198.51.100.99")].flatMap((block) => block ?? []);
    filter = await NameFilter.start({ nameservers: [net.host], forbidden, logger: silent, limits });
    filter.allow(sandbox, ["allowed.example.com", "*.sub.example.com"]);
  }

  async function restart(limits: Partial<NameFilterLimits>): Promise<void> {
    await filter.close();
    await start(limits);
  }

  async function open(kind: "http" | "tls"): Promise<Socket> {
    const socket = connect({ host: "127.0.0.1", port: filter.ports[kind], allowHalfOpen: true });
    sockets.add(socket);
    socket.on("error", () => {});
    // It may be reset at once.
    await once(socket, "connect").catch(() => {});
    return socket;
  }

  function closed(socket: Socket): Promise<void> {
    return new Promise((done) => socket.once("close", () => done()));
  }

  /** Everything that comes until the other side ends. */
  async function received(socket: Socket): Promise<string> {
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
    });
    await Promise.race([once(socket, "end").catch(() => {}), closed(socket)]);
    return text;
  }

  async function ask(kind: "http" | "tls", ...parts: readonly (string | Buffer)[]): Promise<string> {
    const socket = await open(kind);
    const answer = received(socket);
    for (const part of parts) {
      socket.write(part);
      await sleep(5);
    }
    socket.end();
    return await answer;
  }

  const http = (host: string) => ask("http", `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const tls = (...names: string[]) => ask("tls", clientHello({ names }));

  it("joins a connection with the server that it names, in both directions and to the end", async () => {
    expect(await http("allowed.example.com")).toBe(net.host);
    const hello = clientHello({ names: ["allowed.example.com"] });
    const long = Buffer.alloc(2_000_000, "x");
    const answer = await ask("tls", hello, long);
    expect(answer.length).toBe(`${net.world} `.length + hello.length + long.length);
    expect(answer.startsWith(`${net.world} \x16\x03\x01`)).toBe(true);
  });

  it("takes names below a wildcard, and in any case", async () => {
    expect(await tls("deep.SUB.example.com")).toContain(`${net.otherWorld} `);
    expect(await http("Deep.Sub.Example.com:80")).toBe(net.host);
  });

  it("refuses names that are not allowed, in words that a client understands, and asks nobody about them", async () => {
    expect(await http("other.example.net")).toMatch(/^HTTP\/1\.1 403 /);
    expect(await tls("other.example.net")).toBe(accessDenied);
    expect(await tls("sub.example.com")).toBe(accessDenied);
    for (const odd of [".sub.example.com", "a/b.sub.example.com", "a b.sub.example.com", "a..sub.example.com"]) {
      expect(await tls(odd)).toBe(accessDenied);
    }
    expect(dns.asked).toEqual([]);
  });

  it("refuses addresses in place of names, and connections that name nothing or hide it", async () => {
    expect(await http(net.world)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await http(`${net.world}:80`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await tls(net.world)).toBe(accessDenied);
    expect(await ask("tls", clientHello())).toBe(accessDenied);
    expect(await ask("tls", clientHello({ names: ["allowed.example.com"], encrypted: true }))).toBe(accessDenied);
    expect(await ask("tls", "SSH-2.0-client\r\n")).toBe(accessDenied);
  });

  it("reads a name that comes in pieces, byte by byte", async () => {
    const hello = clientHello({ names: ["allowed.example.com"], perRecord: 50 });
    const pieces = Array.from(hello, (byte) => Buffer.from([byte]));
    expect(await ask("tls", ...pieces)).toContain(`${net.world} `);
  });

  it("never leads to a protected, a forbidden or one of the host's own addresses, whatever the resolver says", async () => {
    const closed = [net.intranet, net.metadata, net.host, "127.0.0.1", "10.1.2.3", "198.51.100.99", "0.0.0.0"];
    for (const address of closed) {
      dns.names.set("allowed.example.com", [address]);
      expect(await http("allowed.example.com"), address).toMatch(/^HTTP\/1\.1 403 /);
    }
    dns.names.set("allowed.example.com", [net.metadata, net.world]);
    expect(await http("allowed.example.com")).toBe(net.host);
  });

  it("refuses a name that does not exist", async () => {
    dns.names.delete("allowed.example.com");
    expect(await tls("allowed.example.com")).toBe(accessDenied);
  });

  it("lets nobody in whose address is not that of a sandbox with names", async () => {
    filter.allow(sandbox, []);
    expect(await http("allowed.example.com")).toBe("");
    expect(dns.asked).toEqual([]);
  });

  it("cuts open connections to names that are no longer allowed, and leaves the others", async () => {
    const [kept, cut] = [await open("tls"), await open("tls")];
    kept.write(clientHello({ names: ["allowed.example.com"] }));
    cut.write(clientHello({ names: ["deep.sub.example.com"] }));
    await Promise.all([once(kept, "data"), once(cut, "data")]);
    const gone = closed(cut);
    filter.allow(sandbox, ["allowed.example.com"]);
    await gone;
    const [more] = await Promise.all([once(kept, "data"), kept.write("still there")]);
    expect(String(more[0])).toBe("still there");
  });

  it("waits for a name only so long, however busily it is sent", async () => {
    await restart({ namingMs: 300 });
    const socket = await open("tls");
    const hello = clientHello({ names: ["allowed.example.com"], padding: 4_000 });
    let at = 0;
    const started = performance.now();
    const gone = closed(socket);
    const drip = setInterval(() => {
      if (socket.writable) socket.write(hello.subarray(at, at + 1));
      at += 1;
    }, 20);
    await gone;
    clearInterval(drip);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("keeps no more of a connection than its limit while it waits", async () => {
    const socket = await open("http");
    const answer = received(socket);
    socket.write(`GET / HTTP/1.1\r\nX: ${"a".repeat(100_000)}`);
    expect(await answer).toMatch(/^HTTP\/1\.1 403 /);
    const hello = await open("tls");
    const alert = received(hello);
    hello.write(Buffer.concat([Buffer.from([22, 3, 1, 64, 0, 1, 0, 255, 0]), Buffer.alloc(100_000)]));
    expect(await alert).toBe(accessDenied);
  });

  it("waits for a server only so long", async () => {
    await restart({ connectMs: 300 });
    // Nobody has this address.
    dns.names.set("allowed.example.com", ["203.0.113.200"]);
    const started = performance.now();
    expect(await tls("allowed.example.com")).toBe("");
    expect(performance.now() - started).toBeLessThan(2_500);
  });

  it("has so many connections of one sandbox and no more, and of all", async () => {
    await restart({ perSandbox: 3 });
    const waiting = await Promise.all([open("tls"), open("http"), open("tls")]);
    await sleep(50);
    expect(await http("allowed.example.com")).toBe("");
    waiting[0]?.destroy();
    await vi.waitFor(async () => expect(await http("allowed.example.com")).toBe(net.host));
    await restart({ overall: 1 });
    await open("tls");
    await sleep(50);
    expect(await http("allowed.example.com")).toBe("");
  });
});
