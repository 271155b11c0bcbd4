import type { SandboxStore } from "@castellan/store";
import { executionId, sandboxId } from "./rig.ts";

const teamId = "team";

/** Puts the tests' sandbox into a store, as running on a node with this gateway. */
export async function putRunning(
  store: SandboxStore,
  gatewayAddress: string,
  secrets: { trafficAccessToken?: string } = {},
): Promise<void> {
  await store.putTeam({ teamId, name: teamId, maxConcurrentSandboxes: 10 });
  await putNode(store, gatewayAddress);
  await store.create(
    {
      teamId,
      sandboxId,
      apiKeyId: "key",
      templateId: "base",
      resources: { cpuCount: 1, memoryMb: 128, diskMb: 512 },
      lifecycle: { autoPause: false, autoPauseMemory: true, autoResume: false },
      envdVersion: "0.6.13",
      envVars: {},
      executionId,
      nodeId: "node",
      metadata: new Map(),
      lifetimeMs: 60_000,
      egress: { allowOut: [], denyOut: [] },
      deadlineMs: 60_000,
      epoch: await store.epoch(),
      ...secrets,
    },
    10,
  );
  await store.transition({ teamId, sandboxId, executionId, from: ["creating"], to: "running" });
}

export async function putNode(store: SandboxStore, gatewayAddress: string): Promise<void> {
  await store.renewLease(
    {
      nodeId: "node",
      bootId: "boot",
      address: "http://127.0.0.1:1",
      gatewayAddress,
      version: "0.1.0",
      isolation: "runc",
      isolations: ["runc"],
      capacity: { sandboxes: 10, cpuCount: 2, memoryBytes: 1_000_000_000 },
      usage: { sandboxes: 1, starting: 0 },
      templates: [],
      pauseWithMemory: false,
    },
    60_000,
  );
}

export async function takeTo(store: SandboxStore, to: "pausing" | "paused" | "killing"): Promise<void> {
  await store.transition({
    teamId,
    sandboxId,
    executionId,
    from: to === "paused" ? ["pausing"] : ["running", "paused"],
    to,
    ...(to !== "paused" && { deadlineMs: 60_000 }),
  });
}
