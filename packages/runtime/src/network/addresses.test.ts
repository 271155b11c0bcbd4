import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains, formatIpv4, formatIpv4Block, parseIpv4Block, withoutNested } from "./addresses.ts";

const blocks = fc
  .tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 32 }))
  .map(([address, prefix]) => `${formatIpv4(address)}/${prefix}`);

describe("IPv4 blocks", () => {
  it("are read with the bits below the prefix cleared", () => {
    expect(parseIpv4Block("10.1.2.3/8")).toEqual({ first: 10 * 2 ** 24, prefix: 8 });
    expect(parseIpv4Block("255.255.255.255")).toEqual({ first: 2 ** 32 - 1, prefix: 32 });
    expect(parseIpv4Block("1.2.3.4/0")).toEqual({ first: 0, prefix: 0 });
  });

  it("are not read from anything else", () => {
    const wrong = [
      "",
      "1.2.3",
      "1.2.3.4/33",
      "1.2.3.4/",
      "1.2.3.4/08",
      "1.2.3.4/-1",
      "1.2.3.4/8/8",
      "01.2.3.4",
      "1.2.3.4 ",
      "::1",
      "a",
    ];
    for (const text of wrong) expect(parseIpv4Block(text)).toBeUndefined();
  });

  it("come back as they were written", () => {
    fc.assert(
      fc.property(blocks, (text) => {
        const block = parseIpv4Block(text);
        expect(block).toBeDefined();
        if (block === undefined) return;
        const again = parseIpv4Block(formatIpv4Block(block));
        expect(again).toEqual(block);
      }),
    );
  });

  it("lose what lies inside others and nothing else", () => {
    fc.assert(
      fc.property(fc.array(blocks, { maxLength: 12 }), (texts) => {
        const all = texts.flatMap((text) => parseIpv4Block(text) ?? []);
        const kept = withoutNested(all);
        for (const block of all) expect(kept.filter((outer) => contains(outer, block))).toHaveLength(1);
      }),
    );
  });
});
