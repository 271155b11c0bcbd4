import { isIPv4 } from "node:net";

/** A CIDR block: its first address as a number, and its prefix length. */
export interface Ipv4Block {
  readonly first: number;
  readonly prefix: number;
}

/** @returns undefined unless the text is an IPv4 address or CIDR block; bits below the prefix are cleared. */
export function parseIpv4Block(text: string): Ipv4Block | undefined {
  const [address = "", length = "32", ...rest] = text.split("/");
  if (rest.length > 0 || !isIPv4(address) || !/^(0|[1-9]\d?)$/.test(length) || Number(length) > 32) return undefined;
  const prefix = Number(length);
  const size = 2 ** (32 - prefix);
  const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return { first: value - (value % size), prefix };
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

export function formatIpv4Block({ first, prefix }: Ipv4Block): string {
  return `${formatIpv4(first)}/${prefix}`;
}

/** Whether every address of `inner` is one of `outer`. */
export function contains(outer: Ipv4Block, inner: Ipv4Block): boolean {
  return (
    inner.prefix >= outer.prefix && inner.first >= outer.first && inner.first < outer.first + 2 ** (32 - outer.prefix)
  );
}

/** The same addresses without blocks that lie in others: nft refuses intervals that overlap. */
export function withoutNested(blocks: readonly Ipv4Block[]): Ipv4Block[] {
  const sorted = [...blocks].sort((a, b) => a.first - b.first || a.prefix - b.prefix);
  const kept: Ipv4Block[] = [];
  for (const block of sorted) {
    const last = kept.at(-1);
    if (last === undefined || !contains(last, block)) kept.push(block);
  }
  return kept;
}
