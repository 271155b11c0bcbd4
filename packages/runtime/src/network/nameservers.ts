import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";

const publicResolvers = ["1.1.1.1", "8.8.8.8"];
const resolvLimit = 3;

/**
 * The IPv4 resolvers that sandboxes use. A resolver on the host's loopback cannot be reached from another network
 * namespace; then it is systemd-resolved's list of the resolvers behind it, and where there is none, public ones.
 */
export function hostNameservers(): string[] {
  for (const path of ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]) {
    const reachable = parseNameservers(read(path)).filter((address) => !address.startsWith("127."));
    if (reachable.length > 0) return reachable.slice(0, resolvLimit);
  }
  return publicResolvers;
}

export function parseNameservers(resolvConf: string): string[] {
  return resolvConf.split("\n").flatMap((line) => {
    const [keyword, address = ""] = line.trim().split(/\s+/);
    return keyword === "nameserver" && isIPv4(address) ? [address] : [];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
