import { isIP } from "node:net";
import { CastellanError, type EgressPolicy } from "@castellan/domain";
import { contains, type Ipv4Block, parseIpv4Block, withoutNested } from "./addresses.ts";

/**
 * Closed unless a policy names a block inside them: what a sandbox's owner means by "the internet" is not the operator's
 * network. `0.0.0.0/0` in `allowOut` names none of them.
 */
export const protectedRanges = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
].map(block);

/** A policy as the firewall needs it. */
export interface EgressRules {
  /** Opened although they are protected. */
  readonly named: readonly Ipv4Block[];
  readonly allowed: readonly Ipv4Block[];
  readonly denied: readonly Ipv4Block[];
  /** Whether names may be looked up: not when everything is denied, as names are a way out too. */
  readonly dns: boolean;
}

const maxEntries = 1024;

/**
 * @throws `invalid_argument` for entries that are neither an address nor a CIDR block. IPv6 entries are checked and then
 * have no effect: sandboxes have no IPv6.
 */
export function egressRules(policy: EgressPolicy): EgressRules {
  const allowed = blocksOf("allowOut", policy.allowOut);
  const denied = blocksOf("denyOut", policy.denyOut);
  return {
    named: withoutNested(allowed.filter((entry) => protectedRanges.some((range) => contains(range, entry)))),
    allowed: withoutNested(allowed),
    denied: withoutNested(denied),
    dns: !denied.some(({ prefix }) => prefix === 0),
  };
}

function blocksOf(list: "allowOut" | "denyOut", entries: readonly string[]): Ipv4Block[] {
  if (entries.length > maxEntries) {
    throw new CastellanError("invalid_argument", `${list} may have at most ${maxEntries} entries`);
  }
  return entries.flatMap((entry) => {
    const parsed = parseIpv4Block(entry);
    if (parsed !== undefined) return [parsed];
    if (isIpv6Block(entry)) return [];
    const what = list === "allowOut" ? "domain names are not supported yet" : "domain names cannot be denied";
    throw new CastellanError(
      "invalid_argument",
      `${list} takes IP addresses and CIDR blocks, ${what}: ${JSON.stringify(entry.slice(0, 80))}`,
    );
  });
}

function isIpv6Block(text: string): boolean {
  const [address = "", length = "128", ...rest] = text.split("/");
  return (
    rest.length === 0 &&
    isIP(address) === 6 &&
    !address.includes("%") &&
    /^\d{1,3}$/.test(length) &&
    Number(length) <= 128
  );
}

function block(text: string): Ipv4Block {
  const parsed = parseIpv4Block(text);
  if (parsed === undefined) throw new Error(`not a block: ${text}`);
  return parsed;
}
