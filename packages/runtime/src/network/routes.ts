import { readFile } from "node:fs/promises";
import type { Ipv4Block } from "./addresses.ts";

export interface HostRoute {
  readonly device: string;
  readonly block: Ipv4Block;
}

/** The IPv4 routes of the host's main table. */
export async function hostRoutes(): Promise<HostRoute[]> {
  return parseRoutes(await readFile("/proc/net/route", "utf8").catch(() => ""));
}

/** Reads `/proc/net/route`, whose addresses are hexadecimal in the machine's byte order: little-endian here. */
export function parseRoutes(text: string): HostRoute[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device, destination = "", , , , , , mask = ""] = line.split("\t");
      if (device === undefined || !/^[0-9A-F]{8}$/.test(destination) || !/^[0-9A-F]{8}$/.test(mask)) return [];
      const prefix = 32 - Math.log2(2 ** 32 - reversed(mask));
      return [{ device, block: { first: reversed(destination), prefix } }];
    });
}

function reversed(hexadecimal: string): number {
  return Buffer.from(hexadecimal, "hex").readUInt32LE(0);
}
