import { createServer, type Server } from "node:net";
import { Failure } from "../failure.ts";

/** `host:port` as it stands in a URL. A wildcard address cannot be dialled, so loopback stands for it. */
export function dialAddress(host: string, port: number): string {
  const dialled = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${dialled.includes(":") ? `[${dialled}]` : dialled}:${port}`;
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Resolves when `server` listens. @throws Failure that says what is wrong with the port, and the fix. */
export async function listenOn(server: Server, host: string, port: number, option: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(listenFailure(error, host, port, option));
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("A TCP server has no port");
  return address.port;
}

/** What to say of an error of `listen`. */
export function listenFailure(error: unknown, host: string, port: number, option: string): Failure {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const where = `${host}:${port}`;
  switch (code) {
    case "EADDRINUSE":
      return new Failure(`${where} is in use by another program.`, {
        fix: `Choose another port with ${option}, or see who has it: ss -ltnp 'sport = :${port}'`,
        cause: error,
      });
    case "EACCES":
      return new Failure(`Listening on ${where} is not permitted.`, {
        fix: `Ports below 1024 need root; choose another with ${option}.`,
        cause: error,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new Failure(`${host} is not an address of this machine.`, {
        fix: "Use 127.0.0.1, or 0.0.0.0 for every address.",
        cause: error,
      });
    default:
      return new Failure(`Cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
  }
}

/** The first of `candidates` that is free now, else any free port. */
export async function freePort(host: string, candidates: readonly number[]): Promise<number> {
  for (const port of [...candidates, 0]) {
    const server = createServer();
    try {
      return await listenOn(server, host, port, "");
    } catch (error) {
      if (port === 0) throw error;
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }
  throw new Failure(`${host} has no free port.`);
}
