import { Resolver } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { contains, type Ipv4Block, parseIpv4Block } from "../addresses.ts";
import { protectedRanges } from "../egress.ts";

export interface DestinationOptions {
  /** IPv4 addresses; asked in turn. */
  readonly nameservers: readonly string[];
  /** What no sandbox may reach, whatever its rules say. */
  readonly forbidden: readonly Ipv4Block[];
}

/** Milliseconds for one question to one resolver, and how often each is asked. */
const questionMs = 2_000;
const questions = 2;

/**
 * Looks names up for connections that the host opens on behalf of a sandbox. What the sandbox's own resolver has told it
 * does not matter, and a name never leads to where a sandbox may not go.
 */
export class Destinations {
  readonly #resolver = new Resolver({ timeout: questionMs, tries: questions });
  readonly #forbidden: readonly Ipv4Block[];
  readonly #hasResolver: boolean;

  constructor({ nameservers, forbidden }: DestinationOptions) {
    this.#hasResolver = nameservers.length > 0;
    if (this.#hasResolver) this.#resolver.setServers(nameservers);
    this.#forbidden = forbidden;
  }

  /** The first address of the name that a sandbox may reach. `undefined` when there is none, or nobody knows. */
  async find(name: string): Promise<string | undefined> {
    if (!this.#hasResolver) return undefined;
    const addresses = await this.#resolver.resolve4(name).catch((): string[] => []);
    return addresses.find((address) => this.permits(address));
  }

  permits(address: string): boolean {
    const block = parseIpv4Block(address);
    if (block === undefined || block.prefix !== 32) return false;
    const closed = [...protectedRanges, ...this.#forbidden, ...ownAddresses()];
    return !closed.some((range) => contains(range, block));
  }

  close(): void {
    this.#resolver.cancel();
  }
}

/** The host's, wherever they are: a connection of the host to one of them would meet none of the firewall's rules. */
function ownAddresses(): Ipv4Block[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).flatMap(({ address }) => parseIpv4Block(address) ?? []),
  );
}
