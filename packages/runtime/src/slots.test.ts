import { describe, expect, it } from "vitest";
import { idsPerSlot, Slots } from "./slots.ts";

const options = { devicePrefix: "ab", subnet: "10.9.0.0/16", uidBase: 1_000_000 };

describe("slots", () => {
  it("never share an id, an address or an interface", () => {
    const slots = new Slots({ ...options, subnet: "10.9.0.0/24" });
    const taken = Array.from({ length: slots.capacity }, () => slots.take());
    expect(taken).toHaveLength(127);
    const addresses = taken.flatMap(({ gateway, address }) => [gateway, address]);
    expect(new Set(addresses).size).toBe(254);
    expect(new Set(taken.map(({ device }) => device)).size).toBe(127);
    const ranges = taken.map(({ firstId }) => firstId).sort((a, b) => a - b);
    const gaps = ranges.slice(1).map((first, i) => first - (ranges[i] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(idsPerSlot);
    expect(ranges[0]).toBe(1_000_000);
    expect(addresses.every((address) => address.startsWith("10.9.0."))).toBe(true);
    expect(addresses).not.toContain("10.9.0.0");
  });

  it("run out with an error that says so, and come back when they are released", () => {
    const slots = new Slots({ ...options, subnet: "10.9.0.0/30" });
    const only = slots.take();
    expect(only).toMatchObject({ number: 1, device: "ab-1", gateway: "10.9.0.2", address: "10.9.0.3" });
    expect(() => slots.take()).toThrowError(expect.objectContaining({ code: "unavailable" }));
    slots.release(only);
    expect(slots.take().number).toBe(1);
  });

  it("are not handed out again right after their release", () => {
    const slots = new Slots(options);
    const first = slots.take();
    slots.release(first);
    expect(slots.take().number).not.toBe(first.number);
  });

  it("can be taken by number once, if they exist", () => {
    const slots = new Slots(options);
    expect(slots.takeNumber(7)?.address).toBe("10.9.0.15");
    expect(slots.takeNumber(7)).toBeUndefined();
    for (const wrong of [0, -1, 1.5, slots.capacity + 1]) expect(slots.takeNumber(wrong)).toBeUndefined();
    expect(slots.take().number).toBe(8);
  });

  it("stay below the last host id", () => {
    const slots = new Slots({ ...options, uidBase: 0xffff_0000 - 3 * idsPerSlot });
    expect(slots.capacity).toBe(3);
    expect(slots.describe(3).firstId + idsPerSlot - 1).toBeLessThan(0xffff_ffff);
  });

  it("need a usable subnet and a usable range of ids", () => {
    for (const subnet of ["10.9.0.0/31", "10.9.0.0/7", "10.9.0.0/x", "fd00::/64", "10.9/16", ""]) {
      expect(() => new Slots({ ...options, subnet })).toThrowError(
        expect.objectContaining({ code: "invalid_argument" }),
      );
    }
    for (const uidBase of [0, 65_535, -1, 1.5, 2 ** 32 - 1, Number.NaN]) {
      expect(() => new Slots({ ...options, uidBase })).toThrowError(
        expect.objectContaining({ code: "invalid_argument" }),
      );
    }
  });
});
