import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { boundAddress } from "@castellan/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { joinSockets } from "./tunnel.ts";

describe("a tunnel", () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  /** Both ends of one connection. */
  const pair = async (): Promise<[Socket, Socket]> => {
    const server = createServer({ allowHalfOpen: true });
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    const accepted = once(server, "connection");
    const near = connect({ port: boundAddress(server.address()).port, host: "127.0.0.1" });
    const [[far]] = await Promise.all([accepted, once(near, "connect")]);
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on("error", () => undefined).resume();
    return [near, far];
  };

  /** Unlike `once`, which takes a reset for a failure of the test. */
  const closing = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));

  it.each(["before", "while", "after"])("closes both connections when it is cut %s one of them ends", async (when) => {
    const [client, clientEnd] = await pair();
    const [sandbox, sandboxEnd] = await pair();
    clientEnd.pause();
    const tunnel = joinSockets(clientEnd, sandboxEnd);
    const closed = Promise.all([closing(client), closing(sandbox), tunnel.closed]);
    if (when !== "before") clientEnd.end("the last words");
    if (when === "after") await once(clientEnd, "finish");
    tunnel.cut();
    await closed;
    expect([clientEnd.destroyed, sandboxEnd.destroyed]).toEqual([true, true]);
  });

  it("does not hang on the moment in which the end of one side is on its way", async () => {
    for (let round = 0; round < 50; round += 1) {
      const [client, clientEnd] = await pair();
      const [sandbox, sandboxEnd] = await pair();
      const tunnel = joinSockets(clientEnd, sandboxEnd);
      const closed = Promise.all([closing(client), closing(sandbox), tunnel.closed]);
      // Its end travels through the tunnel while it is cut, in another moment each time.
      sandbox.end("bye");
      await new Promise((resolve) => client.once("data", resolve));
      for (let turn = 0; turn < round % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      tunnel.cut();
      await closed;
    }
  });
});
