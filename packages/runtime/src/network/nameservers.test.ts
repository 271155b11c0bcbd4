import { describe, expect, it } from "vitest";
import { hostNameservers, parseNameservers } from "./nameservers.ts";
import { parseRoutes } from "./routes.ts";

describe("what the host's files say of its network", () => {
  it("is a list of IPv4 resolvers", () => {
    const text =
      "# comment\nsearch example.com\nnameserver 192.0.2.1\nnameserver\t192.0.2.2 \nnameserver fe80::1%eth0\nnameserver\n";
    expect(parseNameservers(text)).toEqual(["192.0.2.1", "192.0.2.2"]);
  });

  it("is never a resolver on a loopback that sandboxes cannot reach, and never nothing", () => {
    const servers = hostNameservers();
    expect(servers.length).toBeGreaterThan(0);
    for (const server of servers) expect(server).not.toMatch(/^127\./);
  });

  it("is a list of routes with their devices", () => {
    const text = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
br0\t0000580A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
`;
    expect(parseRoutes(text)).toEqual([
      { device: "eth0", block: { first: 0, prefix: 0 } },
      { device: "br0", block: { first: 0x0a58_0000, prefix: 16 } },
    ]);
  });
});
