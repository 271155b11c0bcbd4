import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { commandsOf } from "../host/command.ts";

/** A network namespace beside the host, with servers on addresses that stand for the world's. */
export interface FakeInternet {
  /**
   * An ordinary public address; its server on 80 answers with the address of whoever asks, that on 443 with its own
   * address, a space and all that it is sent; UDP port 443 as the resolver's.
   */
  readonly world: string;
  readonly otherWorld: string;
  /** An address of a private range, and the cloud's metadata address; the same server. */
  readonly intranet: string;
  readonly metadata: string;
  /** A resolver in a private range; its UDP port 53 answers with what it is sent. */
  readonly resolver: string;
  /** Who has sent it datagrams. */
  heard(): Promise<string[]>;
  /** The host's own address on this network. */
  readonly host: string;
  close(): Promise<void>;
}

const server = `
import socket, threading
heard = set()
def tcp(port, answer):
    s = socket.create_server(("0.0.0.0", port), backlog=64)
    while True:
        c, peer = s.accept()
        c.sendall(answer(peer).encode()); c.close()
def echo(c):
    try:
        c.sendall((c.getsockname()[0] + " ").encode())
        while data := c.recv(65536): c.sendall(data)
    except OSError: pass
    c.close()
def echoes(port):
    s = socket.create_server(("0.0.0.0", port), backlog=64)
    while True: threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()
def udp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, 8, 1)
    s.bind(("0.0.0.0", port))
    while True:
        data, anc, _, peer = s.recvmsg(512, 256)
        heard.add(peer[0])
        # The answer must come from the address that was asked.
        s.sendmsg([data], [(l, t, d[:4] + d[8:12] + bytes(4)) for l, t, d in anc], 0, peer)
threading.Thread(target=tcp, args=(80, lambda peer: peer[0]), daemon=True).start()
threading.Thread(target=tcp, args=(81, lambda peer: " ".join(sorted(heard))), daemon=True).start()
threading.Thread(target=echoes, args=(443,), daemon=True).start()
for port in (53, 443): threading.Thread(target=udp, args=(port,), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
`;

async function heardBy(address: string): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of connect(81, address)) chunks.push(chunk);
  return Buffer.concat(chunks).toString().split(" ");
}

/**
 * Makes one, and waits while another test of this machine has one: its addresses are the host's routes, and those are
 * there once.
 */
export async function fakeInternet(name: string): Promise<FakeInternet> {
  const turn = await takeTurn();
  try {
    return await make(name, () => turn.close());
  } catch (error) {
    turn.close();
    throw error;
  }
}

/** Held by the process that listens under a name of the kernel's own, which goes with the process. */
async function takeTurn(): Promise<Server> {
  for (const deadline = performance.now() + 600_000; ; ) {
    const server = createServer();
    try {
      server.listen({ path: "\0castellan-fake-internet" });
      await once(server, "listening");
      return server.unref();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

async function make(name: string, leave: () => void): Promise<FakeInternet> {
  const run = commandsOf("/nonexistent");
  const addresses = {
    world: "203.0.113.2",
    otherWorld: "198.51.100.2",
    intranet: "172.31.255.2",
    metadata: "169.254.169.254",
    resolver: "172.31.255.53",
  };
  const host = "203.0.113.1";
  await run("ip", ["netns", "add", name]);
  let child: ChildProcess | undefined;
  const close = async () => {
    child?.kill("SIGKILL");
    // The pair and its routes go at once; with the namespace they would go when the kernel gets to it.
    await run("ip", ["link", "delete", `${name}0`]).catch(() => {});
    await run("ip", ["netns", "delete", name]);
    leave();
  };
  try {
    const outside = [
      `link add ${name}0 type veth peer name eth0 netns ${name}`,
      `addr add ${host}/24 dev ${name}0`,
      `link set ${name}0 up`,
      ...Object.values(addresses)
        .slice(1)
        .map((address) => `route add ${address} via ${addresses.world} onlink dev ${name}0`),
    ];
    const inside = [
      "link set lo up",
      `addr add ${addresses.world}/24 dev eth0`,
      ...Object.values(addresses)
        .slice(1)
        .map((address) => `addr add ${address}/32 dev lo`),
      "link set eth0 up",
      `route add default via ${host}`,
    ];
    await run("ip", ["-batch", "-"], { input: `${outside.join("\n")}\n` });
    await run("ip", ["-netns", name, "-batch", "-"], { input: `${inside.join("\n")}\n` });
    child = spawn("nsenter", [`--net=/run/netns/${name}`, "python3", "-c", server], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (child.stdout !== null) await once(child.stdout, "data", { signal: AbortSignal.timeout(10_000) });
    return { ...addresses, host, close, heard: () => heardBy(addresses.world) };
  } catch (error) {
    await close();
    throw error;
  }
}
