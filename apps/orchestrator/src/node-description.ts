import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, totalmem } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NodeDescriptionSchema } from "@castellan/contracts/node";
import type { CapacityOptions } from "./options.ts";
import type { TemplateSource } from "./template-source.ts";

export const defaultMaxSandboxes = 256;
const defaultMemoryOvercommit = 16;

/** What the memory limits of a node's sandboxes may add up to, in bytes. */
export function sandboxMemoryOf({ memoryBytes = totalmem(), memoryOvercommit }: CapacityOptions): number {
  return Math.floor(memoryBytes * (memoryOvercommit ?? defaultMemoryOvercommit));
}

export interface NodeIdentity {
  readonly nodeId: string;
  readonly bootId: string;
  readonly address: string;
  readonly gatewayAddress: string;
  readonly version: string;
  /** What sandboxes get that ask for none, and what they may ask for. */
  readonly isolation: string;
  readonly isolations: string[];
}

export interface SandboxCounts {
  readonly starting: number;
  readonly sandboxes: number;
  /** What the memory limits of both add up to, in bytes. */
  readonly memoryBytes: number;
}

export interface DescriptionParts {
  readonly identity: NodeIdentity;
  readonly capacity: CapacityOptions;
  readonly stateDir: string;
  readonly templates: TemplateSource;
  readonly counts: () => SandboxCounts;
}

/** The node as it is now, for the control plane. */
export async function describeNode(parts: DescriptionParts): Promise<MessageInitShape<typeof NodeDescriptionSchema>> {
  const { identity, capacity, stateDir, templates } = parts;
  const { starting, sandboxes, memoryBytes } = parts.counts();
  const [offered, diskBytes] = await Promise.all([templates.list(), capacity.diskBytes ?? sizeOfDisk(stateDir)]);
  return {
    ...identity,
    capacity: {
      cpuCount: capacity.cpuCount ?? availableParallelism(),
      memoryBytes: BigInt(capacity.memoryBytes ?? totalmem()),
      diskBytes: BigInt(diskBytes),
      sandboxes: capacity.sandboxes ?? defaultMaxSandboxes,
      sandboxMemoryBytes: BigInt(sandboxMemoryOf(capacity)),
    },
    // Of the whole machine: what its sandboxes really use, and its other work.
    usage: {
      starting,
      sandboxes,
      memoryBytes: BigInt(totalmem() - freemem()),
      sandboxMemoryBytes: BigInt(memoryBytes),
    },
    templates: offered.map(({ templateId, aliases, resources, envdVersion }) => ({
      templateId,
      aliases: [...aliases],
      cpuCount: resources.cpuCount,
      memoryMb: resources.memoryMb,
      diskMb: resources.diskMb,
      envdVersion,
    })),
  };
}

async function sizeOfDisk(path: string): Promise<number> {
  const { blocks, bsize } = await statfs(path);
  return blocks * bsize;
}
