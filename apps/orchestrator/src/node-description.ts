import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, totalmem } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NodeDescriptionSchema } from "@castellan/contracts/node";
import type { CapacityOptions } from "./options.ts";
import type { TemplateSource } from "./template-source.ts";

export const defaultMaxSandboxes = 256;

export interface NodeIdentity {
  readonly nodeId: string;
  readonly bootId: string;
  readonly address: string;
  readonly gatewayAddress: string;
  readonly version: string;
  readonly isolation: string;
}

export interface DescriptionParts {
  readonly identity: NodeIdentity;
  readonly capacity: CapacityOptions;
  readonly stateDir: string;
  readonly templates: TemplateSource;
  readonly counts: () => { readonly starting: number; readonly sandboxes: number };
}

/** The node as it is now, for the control plane. */
export async function describeNode(parts: DescriptionParts): Promise<MessageInitShape<typeof NodeDescriptionSchema>> {
  const { identity, capacity, stateDir, templates } = parts;
  const [offered, diskBytes] = await Promise.all([templates.list(), capacity.diskBytes ?? sizeOfDisk(stateDir)]);
  return {
    ...identity,
    capacity: {
      cpuCount: capacity.cpuCount ?? availableParallelism(),
      memoryBytes: BigInt(capacity.memoryBytes ?? totalmem()),
      diskBytes: BigInt(diskBytes),
      sandboxes: capacity.sandboxes ?? defaultMaxSandboxes,
    },
    // Of the whole machine: what its sandboxes really use, and its other work.
    usage: { ...parts.counts(), memoryBytes: BigInt(totalmem() - freemem()) },
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
