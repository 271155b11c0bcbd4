import { describe, expect, it } from "vitest";
import { coversName, everywhere, isAddressOrBlock, parseEgressPolicy } from "./network.ts";

describe("an address or block", () => {
  it.each(["1.2.3.4", "0.0.0.0/0", "10.0.0.0/8", "255.255.255.255/32", "::1", "::/0", "fe80::/10", "2001:db8::1/128"])(
    "is %s",
    (text) => expect(isAddressOrBlock(text)).toBe(true),
  );

  it.each([
    "",
    "/",
    "1.2.3",
    "1.2.3.4/",
    "1.2.3.4/33",
    "1.2.3.4/-1",
    "1.2.3.4/08",
    "1.2.3.4/8/8",
    "01.2.3.4",
    "1.2.3.4 ",
    "::1/129",
    "example.com",
    "*.example.com",
    "fe80::1%eth0",
    "fe80::%lo/64",
    "1.2.3.4;drop",
  ])("is not %j", (text) => expect(isAddressOrBlock(text)).toBe(false));
});

describe("a sandbox's network rules", () => {
  it("keep their order and lose their repeats", () => {
    expect(parseEgressPolicy(["1.1.1.1", "8.8.8.8", "1.1.1.1"], [everywhere, everywhere])).toEqual({
      allowOut: ["1.1.1.1", "8.8.8.8"],
      denyOut: [everywhere],
    });
    expect(parseEgressPolicy([], [])).toEqual({ allowOut: [], denyOut: [] });
  });

  it("are refused, never dropped, where they cannot be kept", () => {
    refuses(() => parseEgressPolicy([], ["example.com"]), /denyOut takes IP addresses and CIDR blocks/);
    refuses(() => parseEgressPolicy(["example.com"], []), /need denyOut to hold 0.0.0.0\/0/);
    refuses(() => parseEgressPolicy(["x".repeat(1000)], [everywhere]), /^.{0,200}$/);
  });

  it("take names only where everything else is denied, in lower case", () => {
    const names = ["Example.COM", "*.Example.com", "example.com", "a_b.xn--bcher-kva.example"];
    expect(parseEgressPolicy([...names, "1.1.1.1"], [everywhere]).allowOut).toEqual([
      "example.com",
      "*.example.com",
      "a_b.xn--bcher-kva.example",
      "1.1.1.1",
    ]);
    expect(parseEgressPolicy(["example.com"], [], false)).toMatchObject({ denyOut: [everywhere] });
    for (const wrong of [
      "",
      "localhost",
      "*",
      "*.",
      "a.*.com",
      "*example.com",
      "a..b",
      "-a.com",
      "a-.com",
      "1.2.3",
      "bücher.de",
      "a.com.",
      "a.com:443",
      "a b.com",
      "1.2.3.4/33",
      `${"a".repeat(64)}.com`,
      `${"a.".repeat(126)}com`,
    ]) {
      refuses(() => parseEgressPolicy([wrong], [everywhere]), /allowOut takes IP addresses, CIDR blocks and names/);
    }
  });

  it("cover by a wildcard all names below, and neither the name itself nor one that merely ends like it", () => {
    expect(coversName("*.example.com", "a.example.com")).toBe(true);
    expect(coversName("*.example.com", "b.a.example.com")).toBe(true);
    expect(coversName("*.example.com", "example.com")).toBe(false);
    expect(coversName("*.example.com", ".example.com")).toBe(false);
    expect(coversName("*.example.com", "evilexample.com")).toBe(false);
    expect(coversName("example.com", "a.example.com")).toBe(false);
    expect(coversName("example.com", "example.com")).toBe(true);
  });

  it("have at most 256 entries each", () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    expect(parseEgressPolicy(many(256), []).allowOut).toHaveLength(256);
    refuses(() => parseEgressPolicy(many(257), []), /at most 256 entries/);
    refuses(() => parseEgressPolicy([], many(257)), /at most 256 entries/);
  });
});

function refuses(call: () => unknown, message: RegExp): void {
  expect(call).toThrow(expect.objectContaining({ code: "invalid_argument", message: expect.stringMatching(message) }));
}
