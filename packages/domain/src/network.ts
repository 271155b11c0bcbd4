import { isIP } from "node:net";
import { CastellanError } from "./errors.ts";

/**
 * What a sandbox may reach. Entries are addresses or CIDR blocks; allowed ones win over denied ones. Where all else is
 * denied, `allowOut` may also hold names, in lower case: `example.com`, or `*.example.com` for every name below it.
 */
export interface EgressPolicy {
  readonly allowOut: readonly string[];
  readonly denyOut: readonly string[];
  /** As it was said with the rules; absent when nothing was said. `false` stands in `denyOut` too: nothing else reads it. */
  readonly allowInternetAccess?: boolean;
}

export const everywhere = "0.0.0.0/0";
const maxEntries = 256;

/**
 * Checks a request's egress rules and puts them into canonical form.
 * @throws `invalid_argument` on anything that is no address, CIDR block or, where all else is denied, domain name. It is
 * refused rather than ignored: a rule that is silently dropped opens or closes the network unseen.
 */
export function parseEgressPolicy(
  allowOut: readonly string[],
  denyOut: readonly string[],
  allowInternetAccess?: boolean,
): EgressPolicy {
  if (allowOut.length > maxEntries || denyOut.length > maxEntries) {
    throw new CastellanError("invalid_argument", `A network rule list may have at most ${maxEntries} entries`);
  }
  for (const entry of denyOut) {
    if (!isAddressOrBlock(entry)) {
      throw new CastellanError("invalid_argument", `denyOut takes IP addresses and CIDR blocks, not ${quote(entry)}`);
    }
  }
  for (const entry of allowOut) {
    if (isAddressOrBlock(entry)) continue;
    if (!denyOut.includes(everywhere) && allowInternetAccess !== false) {
      throw new CastellanError(
        "invalid_argument",
        `Domains in allowOut need denyOut to hold ${everywhere}: ${quote(entry)}`,
      );
    }
    if (!isNamePattern(entry.toLowerCase())) {
      throw new CastellanError(
        "invalid_argument",
        `allowOut takes IP addresses, CIDR blocks and names like example.com or *.example.com, not ${quote(entry)}`,
      );
    }
  }
  return {
    allowOut: [...new Set(allowOut.map((entry) => (isAddressOrBlock(entry) ? entry : entry.toLowerCase())))],
    denyOut: [...new Set(allowInternetAccess === false ? [...denyOut, everywhere] : denyOut)],
    ...(allowInternetAccess !== undefined && { allowInternetAccess }),
  };
}

/** Whether the text is an IPv4 or IPv6 address, or a CIDR block of either. */
export function isAddressOrBlock(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = isIP(address);
  // A zone (`fe80::1%eth0`) names an interface of the host that the sandbox knows nothing of.
  if (family === 0 || rest.length > 0 || address.includes("%")) return false;
  if (prefix === undefined) return true;
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** Whether the text is a domain name of two labels or more, or `*.` and a domain name; in lower case and ASCII. */
export function isNamePattern(text: string): boolean {
  return isDomainName(text.startsWith("*.") ? text.slice(2) : text) && (!text.startsWith("*.") || text.length <= 253);
}

/** Whether a pattern covers a name, both in lower case; `*.example.com` covers all below `example.com` and not itself. */
export function coversName(pattern: string, name: string): boolean {
  return pattern.startsWith("*.") ? name.length >= pattern.length && name.endsWith(pattern.slice(1)) : name === pattern;
}

/** The last label of a name is never a number, so no address is one. */
export function isDomainName(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.split(".");
  const isLabel = (label: string) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label);
  return labels.length > 1 && labels.every(isLabel) && /[a-z]/.test(labels.at(-1) ?? "");
}

function quote(entry: string): string {
  return JSON.stringify(entry.slice(0, 80));
}
