import { isIP } from "node:net";
import { CastellanError, type EgressPolicy, isNamePattern } from "@castellan/domain";
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
  /** Names, and patterns of them, whose servers may be reached over HTTP and TLS, wherever they are. */
  readonly names: readonly string[];
  /** Whether names may be looked up: not when everything is denied, as names are a way out too. */
  readonly dns: boolean;
}

const maxEntries = 1024;

/**
 * @throws `invalid_argument` for entries that are neither an address nor a CIDR block, apart from names in `allowOut`
 * where everything is denied. IPv6 entries are checked and then have no effect: sandboxes have no IPv6.
 */
export function egressRules(policy: EgressPolicy): EgressRules {
  const names = policy.allowOut.filter(isNamePattern);
  const allowed = blocksOf(
    "allowOut",
    policy.allowOut.filter((entry) => !isNamePattern(entry)),
  );
  const denied = blocksOf("denyOut", policy.denyOut);
  const deniesAll = denied.some(({ prefix }) => prefix === 0);
  if (names.length > maxEntries) throw tooMany("allowOut");
  if (names.length > 0 && !deniesAll) {
    throw new CastellanError("invalid_argument", "Domain names in allowOut need denyOut to hold 0.0.0.0/0");
  }
  return {
    named: withoutNested(allowed.filter((entry) => protectedRanges.some((range) => contains(range, entry)))),
    allowed: withoutNested(allowed),
    denied: withoutNested(denied),
    names,
    dns: !deniesAll || names.length > 0,
  };
}

function blocksOf(list: "allowOut" | "denyOut", entries: readonly string[]): Ipv4Block[] {
  if (entries.length > maxEntries) throw tooMany(list);
  return entries.flatMap((entry) => {
    const parsed = parseIpv4Block(entry);
    if (parsed !== undefined) return [parsed];
    if (isIpv6Block(entry)) return [];
    throw new CastellanError(
      "invalid_argument",
      `${list} takes IP addresses and CIDR blocks, not ${JSON.stringify(entry.slice(0, 80))}`,
    );
  });
}

function tooMany(list: string): CastellanError {
  return new CastellanError("invalid_argument", `${list} may have at most ${maxEntries} entries`);
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
