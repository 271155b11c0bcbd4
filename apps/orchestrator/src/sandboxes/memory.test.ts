import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { epoch, startTestNode, type TestNode } from "../testing/test-node.ts";

const mib = 1024 * 1024;

describe("the memory of a node", () => {
  let node: TestNode;
  afterEach(() => node.dispose());

  const start = (memoryMb: number) => node.startSandbox({ resources: { cpuCount: 1, memoryMb, diskMb: 512 } });

  it("is promised to sandboxes as often as it is told, and free again when they end", async () => {
    node = await startTestNode({ capacity: { memoryBytes: 512 * mib, memoryOvercommit: 2 } });
    const first = await start(600);
    await start(424);
    await expect(start(64)).rejects.toMatchObject({ code: Code.ResourceExhausted });
    expect((await node.nodes.info({})).node).toMatchObject({
      capacity: { memoryBytes: BigInt(512 * mib), sandboxMemoryBytes: BigInt(1024 * mib) },
      usage: { sandboxes: 2, sandboxMemoryBytes: BigInt(1024 * mib) },
    });
    await node.sandboxes.delete({ epoch, ...first });
    await start(600);
  });

  it("is promised sixteen times unless it is told otherwise", async () => {
    node = await startTestNode({ capacity: { memoryBytes: 64 * mib } });
    await start(1024);
    await expect(start(1)).rejects.toMatchObject({ code: Code.ResourceExhausted });
  });
});
