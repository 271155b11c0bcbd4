import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CastellanError } from "@castellan/domain";
import { beginConnect, connectionState, inNetworkNamespace, streamSocket } from "../host/kernel.ts";

const timeoutMs = 5000;

/**
 * A TCP connection that begins inside a network namespace, to a server on its loopback or on `address`.
 * @throws `unavailable` when nothing listens, `deadline_exceeded` after 5 s, `cancelled` on abort.
 */
export async function dial(
  namespaceFd: number,
  address: string,
  port: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const targets = [ipv4("127.0.0.1", port), loopbackIpv6(port), ipv4(address, port)];
  return await firstOf(targets, (family) => inNetworkNamespace(namespaceFd, () => streamSocket(family)), signal);
}

/** A TCP connection from the host itself. @throws as `dial` does. */
export async function dialAddress(address: string, port: number, signal: AbortSignal | undefined): Promise<Socket> {
  return await firstOf([ipv4(address, port)], streamSocket, signal);
}

async function firstOf(
  targets: readonly SocketAddress[],
  open: (family: 4 | 6) => number | undefined,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const deadline = performance.now() + timeoutMs;
  for (const target of targets) {
    const fd = await connectTo(open(target.family), target, deadline, signal);
    if (fd !== undefined) return new Socket({ fd, readable: true, writable: true });
  }
  throw new CastellanError("unavailable", "Nothing listens on the port");
}

async function connectTo(
  fd: number | undefined,
  target: SocketAddress,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  if (fd === undefined) return undefined;
  try {
    beginConnect(fd, target.bytes);
    // On loopback the answer is there at once, unless the server's queue is full.
    for (let pause = 0; ; pause = Math.min(pause + 1, 20)) {
      if (signal?.aborted) throw new CastellanError("cancelled", "The connection was given up");
      const state = connectionState(fd);
      if (state === "connected") return fd;
      if (state === "closed") break;
      if (performance.now() > deadline) throw new CastellanError("deadline_exceeded", "The port does not answer");
      await sleep(pause);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

interface SocketAddress {
  readonly family: 4 | 6;
  /** `struct sockaddr_in` or `sockaddr_in6`. */
  readonly bytes: Buffer;
}

function ipv4(address: string, port: number): SocketAddress {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(2, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split(".").map(Number), 4);
  return { family: 4, bytes };
}

function loopbackIpv6(port: number): SocketAddress {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(10, 0);
  bytes.writeUInt16BE(port, 2);
  bytes[23] = 1;
  return { family: 6, bytes };
}
