import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { commandsOf } from "../host/command.ts";
import type { Execution, SandboxRuntime } from "../index.ts";
import { type FakeInternet, fakeInternet } from "../testing/fake-internet.ts";
import { belongings, endNode, nothing, optionsAt, runInside, specFor, startNode } from "../testing/test-node.ts";
import { cannotRun, testRootfs } from "../testing/test-rootfs.ts";

// Real sandboxes on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 600_000 });

const options = optionsAt({ devicePrefix: "ctn", part: 1 }, { nameservers: ["172.31.255.53", "203.0.113.1"] });
const everything = "0.0.0.0/0";

describe.skipIf(cannotRun !== undefined)(`a sandbox's network${cannotRun ? ` (${cannotRun})` : ""}`, () => {
  let node: SandboxRuntime;
  let net: FakeInternet;
  let first: Execution;
  let second: Execution;
  let hostServer: Server;
  let hostPort = 0;

  beforeAll(async () => {
    await testRootfs();
    net = await fakeInternet("ctnet");
    node = await startNode(options);
    first = await node.start(await specFor("first"));
    second = await node.start(await specFor("second"));
    hostServer = createServer((socket) => socket.end("host")).listen(0, "0.0.0.0");
    await once(hostServer, "listening");
    const address = hostServer.address();
    if (address !== null && typeof address === "object") hostPort = address.port;
    const serve = `nohup python3 -c "
import socket
s = socket.create_server(('0.0.0.0', 8080))
while True:
    c, _ = s.accept(); c.sendall(b'second'); c.close()" > /dev/null 2>&1 &`;
    await runInside(node, "second", serve);
    // It takes a moment to listen.
    await vi.waitFor(async () => expect(await tries("second", "127.0.0.1", 8080)).toBe("second"), 60_000);
  });

  afterAll(async () => {
    hostServer?.close();
    await endNode(node, options);
    await net?.close();
    expect(await belongings(options)).toEqual(nothing);
  });

  beforeEach(() => node.setEgress("first", { allowOut: [], denyOut: [] }));

  /** What a TCP server says to the sandbox, or `""`. */
  async function tries(id: string, address: string, port = 80): Promise<string> {
    const script = `python3 -c "
import socket
try:
    s = socket.create_connection(('${address}', ${port}), timeout=0.7); print(s.recv(100).decode(), end='')
except OSError: pass"`;
    return (await runInside(node, id, script)).stdout;
  }

  async function resolves(id: string, address: string, port = 53): Promise<boolean> {
    const script = `python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.7); s.connect(('${address}', ${port}))
try:
    s.send(b'question'); print(s.recv(100).decode(), end='')
except OSError: pass"`;
    return (await runInside(node, id, script)).stdout === "question";
  }

  it("reaches the internet, under the host's address", async () => {
    expect(await tries("first", net.world)).toBe(net.host);
    expect(await tries("first", net.otherWorld)).toBe(net.host);
  });

  it("does not reach private ranges or the cloud's metadata unless they are named", async () => {
    expect(await tries("first", net.intranet)).toBe("");
    expect(await tries("first", net.metadata)).toBe("");
    await node.setEgress("first", { allowOut: [everything], denyOut: [] });
    expect(await tries("first", net.intranet)).toBe("");
    expect(await tries("first", net.metadata)).toBe("");
    await node.setEgress("first", { allowOut: ["172.31.255.0/24"], denyOut: [] });
    expect(await tries("first", net.intranet)).toBe(net.host);
    expect(await tries("first", net.metadata)).toBe("");
  });

  it("does not reach what is denied, and allowed entries win", async () => {
    await node.setEgress("first", { allowOut: [], denyOut: ["203.0.113.0/24"] });
    expect(await tries("first", net.world)).toBe("");
    expect(await tries("first", net.otherWorld)).toBe(net.host);
    await node.setEgress("first", { allowOut: [net.world], denyOut: ["203.0.113.0/24", "203.0.113.0/25", everything] });
    expect(await tries("first", net.world)).toBe(net.host);
    expect(await tries("first", net.otherWorld)).toBe("");
  });

  it("changes for one sandbox only", async () => {
    await node.setEgress("first", { allowOut: [], denyOut: [everything] });
    expect(await tries("first", net.world)).toBe("");
    expect(await tries("second", net.world)).toBe(net.host);
  });

  it("is closed from the start without internet access, apart from what is allowed", async () => {
    const egress = { allowOut: [net.otherWorld], denyOut: [] };
    await node.start(await specFor("offline", { allowInternet: false, egress }));
    try {
      expect(await tries("offline", net.world)).toBe("");
      expect(await tries("offline", net.otherWorld)).toBe(net.host);
      expect(await resolves("offline", net.resolver)).toBe(false);
    } finally {
      await node.stop("offline");
    }
  });

  it("cuts open connections that new rules forbid", async () => {
    const script = `python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.3); s.connect(('${net.world}', 53))
got = []
for i in range(12):
    try:
        s.send(b'x'); s.recv(10); got.append('1')
    except OSError: got.append('0')
    time.sleep(0.1)
print(''.join(got))"`;
    const talking = runInside(node, "first", script);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await node.setEgress("first", { allowOut: [], denyOut: [net.world] });
    expect((await talking).stdout.trim()).toMatch(/^1+0+$/);
  });

  it("asks the resolver although it is in a private range, and nothing else there", async () => {
    expect(await resolves("first", net.resolver)).toBe(true);
    expect(await tries("first", net.resolver)).toBe("");
    await node.setEgress("first", { allowOut: [], denyOut: ["172.16.0.0/12"] });
    expect(await resolves("first", net.resolver)).toBe(true);
    await node.setEgress("first", { allowOut: [], denyOut: [everything] });
    expect(await resolves("first", net.resolver)).toBe(false);
  });

  it("asks a resolver that runs on the host, on its port and no other", async () => {
    const servers = await Promise.all([53, 54].map((port) => echoServer(net.host, port)));
    try {
      expect(await resolves("first", net.host)).toBe(true);
      expect(await resolves("first", net.host, 54)).toBe(false);
      await node.setEgress("first", { allowOut: [], denyOut: [everything] });
      expect(await resolves("first", net.host)).toBe(false);
      expect(await resolves("second", net.host)).toBe(true);
    } finally {
      for (const server of servers) server.close();
    }
  });

  it("does not reach another sandbox, whatever is allowed", async () => {
    expect(await tries("first", second.address, 8080)).toBe("");
    await node.setEgress("first", { allowOut: ["10.0.0.0/8", everything, second.address], denyOut: [] });
    expect(await tries("first", second.address, 8080)).toBe("");
    expect(await tries("first", second.address, 49983)).toBe("");
  });

  it("does not reach the host on any of its addresses, whatever is allowed", async () => {
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const addresses = own
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .map(({ address }) => address);
    expect(addresses.length).toBeGreaterThan(2);
    await node.setEgress("first", { allowOut: ["10.0.0.0/8", everything, ...addresses], denyOut: [] });
    for (const address of addresses) expect(await tries("first", address, hostPort)).toBe("");
  });

  it("does not carry packets with another's address", async () => {
    const forge = (source: string) => `python3 -c "
import socket, struct
data = struct.pack('!HHHH', 4000, 53, 9, 0) + b'x'
head = struct.pack('!BBHHHBBH4s4s', 69, 0, 20 + len(data), 1, 0, 64, 17, 0, socket.inet_aton('${source}'), socket.inet_aton('${net.world}'))
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(head + data, ('${net.world}', 0))
print('sent', end='')"`;
    for (const source of ["203.0.113.77", second.address, first.address]) {
      expect((await runInside(node, "first", forge(source))).stdout).toBe("sent");
    }
    // Its own went out, under the host's name; the two others did not.
    await vi.waitFor(async () => expect(await net.heard()).toContain(net.host));
    expect(await net.heard()).not.toContain("203.0.113.77");
    const chain = await commandsOf("/nonexistent")("nft", ["list", "chain", "inet", "castellan_ctn", "source"]);
    expect(Number(/@sources counter packets (\d+)/.exec(chain)?.[1])).toBe(2);
  });

  it("has no IPv6 beyond its own loopback", async () => {
    const { stdout } = await runInside(node, "first", "ip -6 -o addr; ip -6 route show default");
    expect(
      stdout
        .trim()
        .split("\n")
        .filter((line) => !line.includes(" lo ")),
    ).toEqual([]);
  });

  it("keeps its rules when new ones are refused", async () => {
    await node.setEgress("first", { allowOut: [], denyOut: [net.world] });
    for (const wrong of ["example.com", "1.2.3.4/33", "1.2.3", "; flush ruleset", ""]) {
      const policy = { allowOut: [wrong], denyOut: [] };
      await expect(node.setEgress("first", policy)).rejects.toMatchObject({ code: "invalid_argument" });
      const deny = { allowOut: [], denyOut: [wrong] };
      await expect(node.setEgress("first", deny)).rejects.toMatchObject({ code: "invalid_argument" });
    }
    expect(await tries("first", net.world)).toBe("");
    expect(await tries("first", net.otherWorld)).toBe(net.host);
    await expect(node.setEgress("none", { allowOut: [], denyOut: [] })).rejects.toMatchObject({ code: "not_found" });
  });

  it("takes the last of many changes at once", async () => {
    const changes = Array.from({ length: 20 }, (_, i) =>
      node.setEgress("first", { allowOut: [], denyOut: i % 2 === 0 ? [net.world] : [] }),
    );
    await Promise.all(changes);
    expect(await tries("first", net.world)).toBe(net.host);
  });

  it("lets ordinary users ping and use low ports", async () => {
    const script = `python3 -c "
import socket
socket.create_server(('0.0.0.0', 81)).close(); socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
print('both', end='')"`;
    expect((await runInside(node, "first", script, 1000)).stdout).toBe("both");
  });
});

/** Sends every datagram back. */
async function echoServer(address: string, port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("message", (message, peer) => socket.send(message, peer.port, peer.address));
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}
