import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextEpoch, nextRevision } from "./revision.ts";

const micros = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 });

describe("the next revision", () => {
  it("is above the previous one and not below the clock and the epoch, whatever the clock does", () => {
    fc.assert(
      fc.property(micros, micros, micros, (previous, now, epoch) => {
        const revision = nextRevision(previous, now, epoch);
        expect(revision).toBeGreaterThan(previous);
        expect(revision).toBeGreaterThanOrEqual(now);
        expect(revision).toBeGreaterThanOrEqual(epoch);
        expect(Number.isSafeInteger(revision)).toBe(true);
        expect([previous + 1, now, epoch]).toContain(revision);
      }),
    );
  });

  it("is one more when many fall into one microsecond", () => {
    expect(nextRevision(1_795_000_000_000_000, 1_795_000_000_000_000, 5)).toBe(1_795_000_000_000_001);
  });
});

describe("the next epoch", () => {
  it("is above everything that is known and not below the clock", () => {
    fc.assert(
      fc.property(micros, fc.array(micros), (now, known) => {
        const epoch = nextEpoch(now, ...known);
        expect(epoch).toBeGreaterThanOrEqual(now);
        for (const one of known) expect(epoch).toBeGreaterThan(one);
        expect(epoch === now || known.includes(epoch - 1)).toBe(true);
      }),
    );
  });
});
