import { describe, expect, it } from "vitest";
import { formatIpv4Block } from "./addresses.ts";
import { egressRules } from "./egress.ts";

const shown = (blocks: readonly { first: number; prefix: number }[]) => blocks.map(formatIpv4Block);

describe("egress rules", () => {
  it("open a protected range only for a block that lies inside it", () => {
    const allowOut = ["0.0.0.0/0", "10.2.0.0/16", "8.0.0.0/6", "169.254.169.254", "203.0.113.9"];
    const { named } = egressRules({ allowOut, denyOut: [] });
    expect(shown(named)).toEqual(["10.2.0.0/16", "169.254.169.254/32"]);
  });

  it("look names up unless everything is denied", () => {
    expect(egressRules({ allowOut: [], denyOut: [] }).dns).toBe(true);
    expect(egressRules({ allowOut: [], denyOut: ["10.0.0.0/8"] }).dns).toBe(true);
    expect(egressRules({ allowOut: ["1.2.3.4"], denyOut: ["0.0.0.0/0"] }).dns).toBe(false);
  });

  it("take IPv6 entries, which have nothing to act on", () => {
    expect(egressRules({ allowOut: ["2001:db8::/32"], denyOut: ["::/0"] })).toEqual({
      named: [],
      allowed: [],
      denied: [],
      names: [],
      dns: true,
    });
  });

  it("take names where everything is denied, and then let names be looked up", () => {
    const { names, allowed, dns } = egressRules({
      allowOut: ["example.com", "1.2.3.4", "*.example.com"],
      denyOut: ["0.0.0.0/0"],
    });
    expect([names, shown(allowed), dns]).toEqual([["example.com", "*.example.com"], ["1.2.3.4/32"], true]);
  });

  it("refuse domain names and everything that could end an nft statement", () => {
    for (const entry of [
      "example.com",
      "*.example.com",
      "1.2.3.4; flush ruleset",
      "fe80::1%eth0",
      "1.2.3.4/33",
      "::/129",
    ]) {
      for (const policy of [
        { allowOut: [entry], denyOut: [] },
        { allowOut: [], denyOut: [entry] },
      ]) {
        expect(() => egressRules(policy)).toThrowError(expect.objectContaining({ code: "invalid_argument" }));
      }
    }
  });

  it("have a limit in number", () => {
    const denyOut = Array.from({ length: 1025 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    expect(() => egressRules({ allowOut: [], denyOut })).toThrowError(
      expect.objectContaining({ code: "invalid_argument" }),
    );
  });
});
