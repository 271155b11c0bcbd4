import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { Failure } from "../failure.ts";

/** What a node uses of its machine and nobody else on it may use. */
export interface HostShare {
  /** 1 to 4 characters of `a-z0-9`, in the names of interfaces, nft table and cgroups. */
  readonly devicePrefix: string;
  /** IPv4 block of its sandboxes. */
  readonly subnet: string;
  /** First host id of its sandboxes' users. */
  readonly uidBase: number;
}

/** Sandboxes that a share has room for; the pair with the network's own number stays free. */
const slots = 512;
/** Two addresses per sandbox. */
const prefixLength = 22;
/** 10.192.0.0/10: the part of 10.0.0.0/8 that container tools and clouds use least by default. */
const firstSubnet = (10 << 24) | (192 << 16);
const subnets = 2 ** (prefixLength - 10);
/** Above the ranges that `useradd` gives to users, below those that are negative as signed numbers. */
const firstId = 0x1000_0000;
const idsPerSlot = 65_536;
const idRanges = (0x7000_0000 - firstId) / (slots * idsPerSlot);

/**
 * A share for the node whose state is in `stateDir`, away from what is in use on this machine and from `others`. The
 * search starts at a place that follows from the directory's name, so that installations that start at the same moment,
 * and cannot see each other yet, seldom meet.
 * @throws Failure when everything is in use.
 */
export async function chooseHostShare(stateDir: string, others: readonly HostShare[] = []): Promise<HostShare> {
  const hash = createHash("sha256").update(stateDir).digest();
  const prefix = probe(hash.readUInt32BE(0), 36 ** 4, (index) =>
    others.every((o) => o.devicePrefix !== prefixOf(index)),
  );
  const addresses = [...(await addressesInUse()), ...others.map((other) => blockOf(other.subnet))];
  const ids = [...(await idsInUse()), ...others.map((other) => idRange(other.uidBase))];
  const subnet = probe(hash.readUInt32BE(4), subnets, (index) => {
    const { from, to } = blockOf(subnetOf(index));
    return !addresses.some((used) => used.from <= to && used.to >= from);
  });
  const range = probe(hash.readUInt32BE(8), idRanges, (index) => {
    const { from, to } = idRange(firstId + index * slots * idsPerSlot);
    return !ids.some((used) => used.from <= to && used.to >= from);
  });
  if (prefix === undefined || subnet === undefined)
    throw new Failure("10.192.0.0/10 is in use throughout.", { fix: "Choose a --subnet." });
  if (range === undefined) throw new Failure("Every range of user ids for sandboxes is in use on this machine.");
  return {
    devicePrefix: prefixOf(prefix),
    subnet: subnetOf(subnet),
    uidBase: firstId + range * slots * idsPerSlot,
  };
}

function probe(start: number, count: number, isFree: (index: number) => boolean): number | undefined {
  for (let step = 0; step < count; step += 1) {
    const index = (start + step) % count;
    if (isFree(index)) return index;
  }
  return undefined;
}

interface Range {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

/** Addresses of this machine and destinations that it has routes for, the default route aside. */
async function addressesInUse(): Promise<readonly Range[]> {
  const ranges: Range[] = [];
  for (const { family, address, netmask } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
    if (family === "IPv4") ranges.push(block(numberOf(address), numberOf(netmask)));
  }
  const routes = await readFile("/proc/net/route", "utf8").catch(() => "");
  for (const line of routes.split("\n").slice(1)) {
    const [, destination, , , , , , mask] = line.split("\t");
    if (destination === undefined || mask === undefined || /^0+$/.test(mask.trim())) continue;
    ranges.push(block(littleEndian(destination), littleEndian(mask.trim())));
  }
  return ranges;
}

/** Host ids that user namespaces of living processes map. */
async function idsInUse(): Promise<readonly Range[]> {
  const ranges: Range[] = [];
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  for (const pid of processes) {
    const map = await readFile(`/proc/${pid}/uid_map`, "utf8").catch(() => "");
    for (const line of map.trim().split("\n")) {
      const [, outside, length] = line.trim().split(/\s+/).map(Number);
      // The first namespace maps everything onto itself.
      if (outside === undefined || length === undefined || length === 0xffff_ffff) continue;
      ranges.push({ from: outside, to: outside + length - 1 });
    }
  }
  return ranges;
}

function prefixOf(index: number): string {
  return index.toString(36).padStart(4, "0");
}

function subnetOf(index: number): string {
  return `${dotted(firstSubnet + index * slots * 2)}/${prefixLength}`;
}

function idRange(first: number): Range {
  return { from: first, to: first + slots * idsPerSlot - 1 };
}

function blockOf(subnet: string): Range {
  const [address = "", length = "32"] = subnet.split("/");
  return block(numberOf(address), 2 ** 32 - 2 ** (32 - Number(length)));
}

function block(address: number, mask: number): Range {
  const size = 2 ** 32 - mask;
  const from = address - (address % size);
  return { from, to: from + size - 1 };
}

function littleEndian(hex: string): number {
  return Buffer.from(hex, "hex").reverse().readUInt32BE(0);
}

function numberOf(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join(".");
}
