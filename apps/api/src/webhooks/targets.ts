import type { LookupAddress, LookupAllOptions } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { CastellanError } from "@castellan/domain";
import ipaddr from "ipaddr.js";

/**
 * Where deliveries may go. Webhooks are named by whoever has a team's key, and are called from inside the operator's
 * network: what is not a public address is refused, and so are this machine's and the nodes' own addresses.
 */
export interface Targets {
  /** @throws `invalid_argument` for what is no web address, or names an address that is refused. */
  checkUrl(url: string): void;
  /** The addresses of a host, those that are refused left out. Asked anew for every connection, and only these are used. */
  resolve(host: string): Promise<LookupAddress[]>;
}

type Block = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

const maxUrlLength = 2048;

/**
 * @param allowed blocks that are not refused, as CIDR: for tests and closed networks.
 * @param ownHosts host names and addresses of the cluster.
 * @throws `invalid_argument` on a block that is none.
 */
export function createTargets(allowed: readonly string[], ownHosts: () => Iterable<string>): Targets {
  const blocks = allowed.map(parseBlock);
  const isAllowed = (address: string, isOwnName = false): boolean => {
    const parsed = ipaddr.process(address);
    if (blocks.some(([block, bits]) => parsed.kind() === block.kind() && parsed.match(block, bits))) return true;
    return !isOwnName && parsed.range() === "unicast" && !isOwn(parsed, ownHosts());
  };
  return {
    checkUrl(text) {
      const url = text.length <= maxUrlLength ? URL.parse(text) : null;
      if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
        const must = `an http:// or https:// URL of up to ${maxUrlLength} characters, without a user`;
        throw new CastellanError("invalid_argument", `A webhook's url must be ${must}`);
      }
      const host = hostOf(url);
      if (isIP(host) !== 0 && !isAllowed(host)) throw refused();
    },
    async resolve(host) {
      if (isIP(host) !== 0) {
        if (!isAllowed(host)) throw refused();
        return [{ address: host, family: isIP(host) }];
      }
      const isOwnName = [...ownHosts()].includes(host);
      const options: LookupAllOptions = { all: true };
      const found = (await lookup(host, options)).filter(({ address }) => isAllowed(address, isOwnName));
      if (found.length === 0) throw refused();
      return found;
    },
  };
}

/** The host in a URL, an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function isOwn(address: ipaddr.IPv4 | ipaddr.IPv6, ownHosts: Iterable<string>): boolean {
  const own = Object.values(networkInterfaces()).flatMap((list) => list?.map((one) => one.address) ?? []);
  const text = address.toNormalizedString();
  return [...own, ...ownHosts].some((one) => {
    const plain = one.split("%", 1)[0] ?? "";
    return isIP(plain) !== 0 && ipaddr.process(plain).toNormalizedString() === text;
  });
}

function parseBlock(text: string): Block {
  try {
    return ipaddr.parseCIDR(text.includes("/") ? text : `${text}/${isIP(text) === 6 ? 128 : 32}`);
  } catch (cause) {
    throw new CastellanError("invalid_argument", `${text.slice(0, 64)} is no block of addresses, such as 10.0.0.0/8`, {
      cause,
    });
  }
}

function refused(): CastellanError {
  return new CastellanError("invalid_argument", "Webhooks may not go to private or internal addresses");
}
