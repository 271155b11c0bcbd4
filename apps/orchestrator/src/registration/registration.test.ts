import { afterEach, describe, expect, it } from "vitest";
import { startTestControlPlane, type TestControlPlane } from "../testing/test-control-plane.ts";
import { clusterToken, epoch, epochOf, startTestNode, type TestNode } from "../testing/test-node.ts";

describe("a node's registration", () => {
  const opened: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });

  const controlPlaneOf = async (options: Parameters<typeof startTestControlPlane>[0]): Promise<TestControlPlane> => {
    const controlPlane = await startTestControlPlane(options);
    opened.push(() => controlPlane.close());
    return controlPlane;
  };
  const nodeOf = async (...controlPlaneUrls: string[]): Promise<TestNode> => {
    const timing = { registerBackoffMs: 20, registerBackoffMaxMs: 50 };
    const node = await startTestNode({ controlPlaneUrls, timing, capacity: { sandboxes: 7 } });
    opened.push(() => node.dispose());
    return node;
  };

  it("describes the node and is renewed three times in a lease", async () => {
    const controlPlane = await controlPlaneOf({ leaseMs: 900 });
    const node = await nodeOf(controlPlane.url);
    await node.startSandbox();
    const began = performance.now();
    await expect.poll(() => controlPlane.registrations.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(4);
    expect(performance.now() - began).toBeLessThan(2_700);
    expect(controlPlane.tokens[0]).toBe(`Bearer ${clusterToken}`);
    expect(controlPlane.registrations.at(-1)).toMatchObject({
      epoch,
      highestRevision: 10n,
      node: {
        nodeId: "test-node",
        bootId: node.orchestrator.bootId,
        address: node.addresses.address,
        gatewayAddress: node.addresses.gatewayAddress,
        isolation: "runc",
        capacity: { sandboxes: 7 },
        usage: { sandboxes: 1, starting: 0 },
        templates: [{ templateId: "base", aliases: ["debian"], memoryMb: 128 }],
      },
    });
    expect(controlPlane.registrations.at(-1)?.node?.capacity?.memoryBytes).toBeGreaterThan(0n);
  });

  it("brings the store's new epoch to the node, and the node's higher one to the store", async () => {
    const controlPlane = await controlPlaneOf({ leaseMs: 90, epoch: 5_000n });
    const node = await nodeOf(controlPlane.url);
    await expect.poll(() => epochOf(node)).toBe(5_000n);
    await node.nodes.info({ epoch: 9_000n });
    await expect.poll(() => controlPlane.registrations.at(-1)?.epoch).toBe(9_000n);
    expect(await epochOf(node)).toBe(9_000n);
  });

  it("waits for a control plane that is not there yet, and finds one that has come back", async () => {
    const first = await startTestControlPlane({ leaseMs: 90 });
    const port = Number(new URL(first.url).port);
    await first.close();
    await nodeOf(first.url);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const second = await startTestControlPlane({ leaseMs: 90, port });
    await expect.poll(() => second.registrations.length, { timeout: 3_000 }).toBeGreaterThan(1);
    await second.close();
    const third = await controlPlaneOf({ leaseMs: 90, port });
    await expect.poll(() => third.registrations.length, { timeout: 3_000 }).toBeGreaterThan(1);
  });

  it("goes to another process of the control plane when one fails", async () => {
    const first = await startTestControlPlane({ leaseMs: 90 });
    const second = await controlPlaneOf({ leaseMs: 90 });
    await nodeOf(first.url, second.url);
    await expect.poll(() => first.registrations.length).toBeGreaterThan(0);
    expect(second.registrations).toHaveLength(0);
    await first.close();
    await expect.poll(() => second.registrations.length).toBeGreaterThan(1);
  });
});
