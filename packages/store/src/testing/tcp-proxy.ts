import { once } from "node:events";
import { createServer, connect as dial, type Socket } from "node:net";

/** Stands between a client and a server on loopback, to lose what a network can lose. */
export interface TcpProxy {
  readonly port: number;
  /** Where further connections go. */
  target: number;
  /** From now on: `pass` both ways, `mute` what the server answers, `stall` both. */
  mode: "pass" | "mute" | "stall";
  /** Cuts every connection. */
  cut(): void;
  /** Connections made so far. */
  readonly connections: number;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const proxy: Pick<TcpProxy, "mode" | "target"> = { mode: "pass", target: targetPort };
  const server = createServer((client) => {
    connections += 1;
    const target = dial(proxy.target, "127.0.0.1");
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    client.on("data", (chunk) => {
      if (proxy.mode !== "stall") target.write(chunk);
    });
    target.on("data", (chunk) => {
      if (proxy.mode === "pass") client.write(chunk);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    get mode() {
      return proxy.mode;
    },
    set mode(mode) {
      proxy.mode = mode;
    },
    get target() {
      return proxy.target;
    },
    set target(port) {
      proxy.target = port;
    },
    get connections() {
      return connections;
    },
    cut,
    async close() {
      cut();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
