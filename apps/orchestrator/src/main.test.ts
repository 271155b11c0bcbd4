import { chmod, mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { DeletionCause, SandboxService, UpdateOutcome } from "@castellan/contracts/sandbox";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cannotRun, leftovers, type NodeProcess, startNodeProcess } from "./testing/node-process.ts";
import { clusterToken, connectTo, epoch, manifestOf } from "./testing/test-node.ts";

describe.skipIf(cannotRun)(`a node's process with real sandboxes${cannotRun ? ` (${cannotRun})` : ""}`, () => {
  let dir: string;
  let node: NodeProcess | undefined;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "castellan-process-"));
    // A sandbox's root is nobody in particular outside, and passes through by name.
    await chmod(dir, 0o711);
  });
  afterEach(async () => {
    // Whatever the test left is ended by a node that is told to.
    if (node === undefined || node.child.exitCode !== null || node.child.signalCode !== null) {
      node = await startNodeProcess(dir);
    }
    expect(await node.end("SIGINT"), node.log()).toBe(0);
    node = undefined;
    await rm(dir, { recursive: true, force: true });
    expect(leftovers()).toEqual([]);
  }, 60_000);

  const callNode = async <T>(use: (client: ReturnType<typeof clientOf>["client"]) => Promise<T>): Promise<T> => {
    const { client, connection } = clientOf(node?.address ?? "");
    try {
      return await use(client);
    } finally {
      connection.abort();
    }
  };
  const clientOf = (address: string) => connectTo(address, SandboxService);

  const startSandbox = async () => {
    const manifest = manifestOf({ resources: { cpuCount: 1, memoryMb: 256, diskMb: 256 } });
    await callNode((client) => client.create({ epoch, manifest }));
    return { sandboxId: manifest.sandboxId, executionId: manifest.executionId };
  };
  /** Asks the daemon of a sandbox through the gateway. */
  const askDaemon = async (sandboxId: string, path: string, token = "the daemon's token") => {
    const { hostname, port } = new URL(`http://${node?.gatewayAddress}`);
    const authorization = `Bearer ${clusterToken}`;
    const socket = await new Promise<Socket>((resolve, reject) => {
      const connect = request({
        method: "CONNECT",
        host: hostname,
        port,
        path: `${sandboxId}:49983`,
        headers: { authorization },
      });
      connect.once("connect", (_response, opened: Socket) => resolve(opened));
      connect.once("error", reject).end();
    });
    return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      request({ createConnection: () => socket, path, headers: { "x-access-token": token } })
        .once("response", async (response) => resolve({ status: response.statusCode, body: await text(response) }))
        .once("error", reject)
        .end();
    });
  };

  it("starts a sandbox whose daemon has the settings, and takes it over from a killed predecessor", async () => {
    node = await startNodeProcess(dir);
    const ids = await startSandbox();
    expect((await askDaemon(ids.sandboxId, "/health")).status).toBe(204);
    // The daemon has got the token, and with it the rest of its settings.
    const file = "/files?path=/etc/hostname&username=root";
    expect(await askDaemon(ids.sandboxId, file)).toMatchObject({ status: 200, body: `${ids.sandboxId}\n` });
    expect(await askDaemon(ids.sandboxId, file, "a wrong token")).toMatchObject({ status: 401 });

    const metadata = { entries: { tag: "committed" }, revision: 20n };
    const egress = { policy: { denyOut: ["0.0.0.0/0"] }, revision: 20n };
    const { result } = await callNode((client) => client.update({ epoch, ...ids, metadata, egress }));
    expect(result?.outcome).toBe(UpdateOutcome.HELD);
    await node.end("SIGKILL");

    node = await startNodeProcess(dir);
    const listed = await callNode((client) => client.list({ epoch, includeManifests: true }));
    expect(listed.deletions).toEqual([]);
    expect(listed.sandboxes).toMatchObject([
      {
        ...ids,
        applied: { metadata: 20n, egress: 20n, endTime: 10n },
        manifest: { metadata: { entries: { tag: "committed" } } },
      },
    ]);
    expect((await askDaemon(ids.sandboxId, "/health")).status).toBe(204);
    const { deleted } = await callNode((client) => client.delete({ epoch, ...ids }));
    expect(deleted).toBe(true);
  }, 90_000);

  it("leaves sandboxes running at SIGTERM, ends them at SIGINT, and says so to the next", async () => {
    node = await startNodeProcess(dir);
    const ids = await startSandbox();
    expect(await node.end("SIGTERM")).toBe(0);

    node = await startNodeProcess(dir, { CASTELLAN_KEEP_SANDBOXES: "1" });
    expect((await askDaemon(ids.sandboxId, "/health")).status).toBe(204);
    expect(await node.end("SIGINT")).toBe(0);

    node = await startNodeProcess(dir);
    expect((await askDaemon(ids.sandboxId, "/health")).status).toBe(204);
    expect(await node.end("SIGINT")).toBe(0);

    node = await startNodeProcess(dir);
    expect(await callNode((client) => client.list({ epoch }))).toMatchObject({
      sandboxes: [],
      deletions: [{ ...ids, cause: DeletionCause.SHUTDOWN }],
    });
  }, 90_000);
});
