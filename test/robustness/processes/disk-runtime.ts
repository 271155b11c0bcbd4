import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";
import type { NodeRuntime, Run, RunSpec } from "@castellan/orchestrator";

/**
 * A runtime without containers: a sandbox is a file, so that it outlives the node's process as a real one does, and one
 * server answers for every daemon. Everything above the runtime is the node's own code.
 */
export class DiskRuntime implements NodeRuntime {
  readonly #directory: string;
  readonly #running = new Set<string>();
  readonly #daemon: Server;

  private constructor(directory: string, daemon: Server) {
    this.#directory = directory;
    this.#daemon = daemon;
  }

  static async open(directory: string): Promise<DiskRuntime> {
    mkdirSync(directory, { recursive: true });
    const daemon = createServer((request, response) => {
      request.resume();
      if (request.url?.startsWith("/logs")) response.writeHead(200).end('{"boot":"b","dropped":0,"entries":[]}');
      else response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => daemon.listen(0, "127.0.0.1", resolve));
    return new DiskRuntime(directory, daemon);
  }

  async start({ sandboxId, executionId }: RunSpec): Promise<Run> {
    writeFileSync(join(this.#directory, executionId), sandboxId);
    this.#running.add(executionId);
    return { sandboxId, executionId };
  }

  async stop(executionId: string): Promise<void> {
    rmSync(join(this.#directory, executionId), { force: true });
    this.#running.delete(executionId);
  }

  async recover(): Promise<readonly Run[]> {
    return readdirSync(this.#directory).map((executionId) => {
      this.#running.add(executionId);
      return { sandboxId: readFileSync(join(this.#directory, executionId), "utf8"), executionId };
    });
  }

  async setEgress(): Promise<void> {}

  async usage() {
    return { cpuMicros: 0, memoryBytes: 1, cacheBytes: 0, diskUsedBytes: 1, diskTotalBytes: 2 };
  }

  async connect(executionId: string): Promise<Socket> {
    const address = this.#daemon.address();
    if (!this.#running.has(executionId) || !isBound(address)) throw new CastellanError("not_found", "gone");
    const socket = connectTcp({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return socket;
  }

  onExit(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    this.#daemon.close();
  }
}

function isBound(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
