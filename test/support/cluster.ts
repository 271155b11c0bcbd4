import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createControlPlane } from "@castellan/api";
import type { SandboxListResponse } from "@castellan/contracts/sandbox";
import { bundlePath } from "@castellan/envd/bundle";
import { createOrchestrator } from "@castellan/orchestrator";
import { createSandboxRuntime } from "@castellan/runtime";
import { openStore, type SandboxStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { templateDirectory } from "@castellan/template";
import { createNodeRelay, listOnNode, type NodeRelay } from "./node-relay.ts";
import { freePort, templatesDirectory } from "./stack.ts";

/**
 * A control plane and a node with real sandboxes in this process, with a relay between them: for tests that must see or
 * change the order of what travels. The store is SQLite.
 */
export interface Cluster {
  readonly apiKey: string;
  readonly apiUrl: string;
  readonly store: SandboxStore;
  /** What the node itself says, past the relay. */
  listOnNode(): Promise<SandboxListResponse>;
  readonly relay: NodeRelay;
  dispose(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), "castellan-cluster-"));
  // The sandboxes' users are others on the host: they must be able to pass through to their root.
  await chmod(directory, 0o711);
  const logger = createLogger("test", process.env["CASTELLAN_LOG"] ?? "silent");
  const clusterToken = randomBytes(24).toString("hex");
  const apiKey = `e2b_${randomBytes(20).toString("hex")}`;
  const store = await openStore(`sqlite:${join(directory, "store.db")}`, { logger });
  await store.putTeam({ teamId: "team", name: "team", maxConcurrentSandboxes: 20 });
  const keyHash = createHash("sha256").update(apiKey).digest("hex");
  await store.putApiKey({ apiKeyId: "key", teamId: "team", name: "test" }, keyHash);

  const controlPlane = await createControlPlane({ store, clusterToken, domain: "localhost:3000", logger });
  const { url: registryUrl } = await controlPlane.registry.listen({ host: "127.0.0.1", port: 0 });
  const apiUrl = await controlPlane.rest.listen({ host: "127.0.0.1", port: 0 });
  controlPlane.start();

  const port = await freePort();
  const nodeUrl = `http://127.0.0.1:${port}`;
  const relay = await createNodeRelay(nodeUrl, clusterToken);
  const runtime = await createSandboxRuntime({
    stateDir: join(directory, "runtime"),
    devicePrefix: "cxt",
    subnet: "10.250.0.0/22",
    uidBase: 0x0c00_0000,
    daemon: { nodeBinary: process.execPath, bundle: bundlePath, init: "/usr/bin/tini-static" },
    logger,
  });
  const orchestrator = createOrchestrator({
    nodeId: "node-under-test",
    stateDir: join(directory, "node"),
    clusterToken,
    runtime,
    templates: templateDirectory(templatesDirectory),
    controlPlaneUrls: [registryUrl],
    rpc: { port, advertise: relay.address },
    logger,
  });
  await orchestrator.listen();
  while ((await store.listNodes()).length === 0) await sleep(50);
  return {
    apiKey,
    apiUrl,
    store,
    listOnNode: () => listOnNode(nodeUrl, clusterToken),
    relay,
    async dispose() {
      await orchestrator.close({ stopSandboxes: true });
      await controlPlane.close();
      await relay.close();
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
