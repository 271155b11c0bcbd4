import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { commandsOf } from "../../host/command.ts";
import { createSandboxRuntime, type Execution, type SandboxRuntime } from "../../index.ts";
import { clientHello } from "../../testing/client-hello.ts";
import { type FakeInternet, fakeInternet } from "../../testing/fake-internet.ts";
import { type NameServer, nameServer } from "../../testing/name-server.ts";
import { belongings, endNode, nothing, optionsAt, runInside, specFor, startNode } from "../../testing/test-node.ts";
import { cannotRun, testRootfs } from "../../testing/test-rootfs.ts";

// Real sandboxes on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 600_000 });

const options = optionsAt({ devicePrefix: "ctm", part: 12 }, { nameservers: ["203.0.113.1"] });
const allowed = "allowed.example.com";
const rules = { allowOut: [allowed, "*.sub.example.com"], denyOut: ["0.0.0.0/0"] };

describe.skipIf(cannotRun !== undefined)(`a sandbox that may reach names${cannotRun ? ` (${cannotRun})` : ""}`, () => {
  let node: SandboxRuntime;
  let net: FakeInternet;
  let dns: NameServer;
  let second: Execution;

  beforeAll(async () => {
    await testRootfs();
    net = await fakeInternet("ctmnet");
    dns = await nameServer(net.host, {
      [allowed]: [net.world],
      "a.sub.example.com": [net.otherWorld],
      "other.example.net": [net.otherWorld],
    });
    node = await startNode(options);
    await node.start(await specFor("first", { egress: rules }));
    second = await node.start(await specFor("second"));
  });

  afterAll(async () => {
    await endNode(node, options);
    dns?.close();
    await net?.close();
    expect(await belongings(options)).toEqual(nothing);
  });

  /** What a server says to these bytes, in Latin 1; `""` when it cannot be reached. */
  async function says(id: string, address: string, port: number, bytes: Buffer | string): Promise<string> {
    const hex = Buffer.from(bytes).toString("hex");
    const script = `python3 -c "
import socket, sys
try:
    s = socket.create_connection(('${address}', ${port}), timeout=1.5)
    s.sendall(bytes.fromhex('${hex}')); s.shutdown(socket.SHUT_WR)
    while data := s.recv(65536): sys.stdout.write(data.hex())
except OSError: pass"`;
    return Buffer.from((await runInside(node, id, script)).stdout, "hex").toString("latin1");
  }

  async function answersDatagram(id: string, address: string, port: number): Promise<boolean> {
    const script = `python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.7); s.connect(('${address}', ${port}))
try:
    s.send(b'question'); print(s.recv(100).decode(), end='')
except OSError: pass"`;
    return (await runInside(node, id, script)).stdout === "question";
  }

  const request = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const hello = (name: string) => clientHello({ names: [name] });

  it("reaches the servers of these names over HTTP and TLS", async () => {
    expect(await says("first", allowed, 80, request(allowed))).toBe(net.host);
    expect(await says("first", allowed, 443, hello(allowed))).toMatch(`${net.world} \x16\x03\x01`);
    expect(await says("first", "a.sub.example.com", 443, hello("a.sub.example.com"))).toContain(`${net.otherWorld} `);
  });

  it("reaches no other name, and no server that names nothing", async () => {
    expect(await says("first", "other.example.net", 80, request("other.example.net"))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await says("first", "other.example.net", 443, hello("other.example.net"))).toBe(
      "\x15\x03\x03\0\x02\x02\x31",
    );
    expect(await says("first", net.world, 443, "SSH-2.0-x\r\n")).toBe("\x15\x03\x03\0\x02\x02\x31");
  });

  it("is led to the name's own server, whatever address it asks for", async () => {
    expect(await says("first", net.otherWorld, 443, hello(allowed))).toContain(`${net.world} `);
    expect(await says("first", "192.0.2.1", 443, hello(allowed))).toContain(`${net.world} `);
  });

  it("reaches nothing on other ports or over UDP, QUIC with it, and no resolver but its own", async () => {
    expect(await answersDatagram("first", net.world, 443)).toBe(false);
    expect(await answersDatagram("second", net.world, 443)).toBe(true);
    expect(await answersDatagram("first", net.world, 53)).toBe(false);
    expect(await says("first", net.world, 81, "")).toBe("");
    expect(await says("second", net.world, 81, "")).toContain(net.host);
  });

  it("does not reach protected ranges or another sandbox under an allowed name", async () => {
    for (const address of [net.metadata, net.intranet, second.address]) {
      expect(await says("first", address, 443, hello(allowed)), address).toBe("");
    }
    expect(await says("first", net.host, 443, hello(allowed))).toContain(`${net.world} `);
    dns.names.set("b.sub.example.com", [net.metadata]);
    dns.names.set("c.sub.example.com", [second.address]);
    dns.names.set("d.sub.example.com", [net.host]);
    for (const name of ["b", "c", "d"].map((letter) => `${letter}.sub.example.com`)) {
      expect(await says("first", net.world, 80, request(name)), name).toMatch(/^HTTP\/1\.1 403 /);
    }
  });

  it("reaches allowed addresses as before, without a name", async () => {
    await node.setEgress("first", { allowOut: [net.otherWorld, ...rules.allowOut], denyOut: rules.denyOut });
    try {
      expect(await says("first", net.otherWorld, 443, "plain")).toBe(`${net.otherWorld} plain`);
      expect(await says("first", net.world, 443, "plain")).toBe("\x15\x03\x03\0\x02\x02\x31");
      expect(await says("first", net.world, 443, hello(allowed))).toContain(`${net.world} `);
    } finally {
      await node.setEgress("first", rules);
    }
  });

  it("loses its names with its rules, and the filter with them", async () => {
    await node.setEgress("first", { allowOut: [], denyOut: rules.denyOut });
    expect(await says("first", net.world, 443, hello(allowed))).toBe("");
    await node.setEgress("first", { allowOut: [], denyOut: [] });
    expect(await says("first", net.otherWorld, 443, hello(allowed))).toContain(`${net.otherWorld} `);
    await node.setEgress("first", rules);
    expect(await says("first", net.otherWorld, 443, hello(allowed))).toContain(`${net.world} `);
  });

  it("is the only one whom the filter serves, and only by way of ports 80 and 443", async () => {
    for (const port of await filterPorts()) {
      for (const id of ["first", "second"]) expect(await says(id, net.host, port, request(allowed))).toBe("");
      expect(await isReset("127.0.0.1", port)).toBe(true);
    }
    expect(await says("second", net.otherWorld, 443, hello(allowed))).toContain(`${net.otherWorld} `);
  });

  it("keeps to its names when the node's process is gone, and has them back with the next one", async () => {
    const ports = await filterPorts();
    await node.close({ stopAll: false });
    for (const port of ports) expect(await takesConnections(port), "a port that is free again").toBe(true);
    node = await createSandboxRuntime(options);
    await node.recover();
    expect(await says("first", net.otherWorld, 443, hello(allowed))).toContain(`${net.world} `);
    expect(await says("first", net.otherWorld, 443, hello("other.example.net"))).toBe("\x15\x03\x03\0\x02\x02\x31");
  });
});

/** The ports to which the node's firewall redirects. */
async function filterPorts(): Promise<number[]> {
  const chain = await commandsOf("/nonexistent")("nft", ["list", "chain", "inet", "castellan_ctm", "filtered"]);
  const ports = Array.from(chain.matchAll(/redirect to :(\d+)/g), ([, port]) => Number(port));
  expect(ports).toHaveLength(2);
  return ports;
}

/** Whether a connection is ended at once, with nothing said. */
async function isReset(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  const ended = await new Promise<boolean>((done) => {
    socket.once("error", (error) => done("code" in error && error.code === "ECONNRESET"));
    socket.once("data", () => done(false));
    setTimeout(() => done(false), 2_000);
  });
  socket.destroy();
  return ended;
}

/** Whether a server of the host on this port can be reached from the host. */
async function takesConnections(port: number): Promise<boolean> {
  const server = createServer((socket) => socket.end()).listen(port, "127.0.0.1");
  await once(server, "listening");
  const socket = connect({ host: "127.0.0.1", port });
  const connected = await new Promise<boolean>((done) => {
    socket.once("connect", () => done(true));
    setTimeout(() => done(false), 2_000);
  });
  socket.destroy();
  server.close();
  return connected;
}
