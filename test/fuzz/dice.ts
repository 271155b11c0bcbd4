import fc from "fast-check";

/** Seeded choices. One case uses one, so that a case can be made again from its seed and index alone. */
export interface Dice {
  /** From `min` to `max`, both included; often one of the two. */
  int(min: number, max: number): number;
  /** True once in `n` times. */
  oneIn(n: number): boolean;
  pick<T>(from: readonly [T, ...T[]]): T;
  /** Text of any characters, often of awkward ones. */
  text(maxLength?: number): string;
  bytes(maxLength: number): Buffer;
  /** Any JSON value. */
  json(): unknown;
}

export function diceOf(seed: number, index: number): Dice {
  const [generate] = fc.sample(fc.gen(), { seed: mix(seed, index), numRuns: 1 });
  if (generate === undefined) throw new Error("No generator");
  // Choices must be even; values are where fast-check's liking for edges is wanted.
  const even = (max: number) => generate(evenInteger, max);
  return {
    int: (min, max) => generate(fc.integer, { min, max }),
    oneIn: (n) => even(n) === 0,
    pick: (from) => from[even(from.length)] ?? from[0],
    text: (maxLength = 24) => generate(fc.string, { maxLength, unit: "binary" }),
    bytes: (maxLength) => Buffer.from(generate(fc.uint8Array, { maxLength })),
    json: () => generate(fc.jsonValue, { maxDepth: 3 }),
  };
}

function evenInteger(below: number) {
  return fc.noBias(fc.nat({ max: below - 1 }));
}

/** Neighbouring cases get seeds that are far apart. */
function mix(seed: number, index: number): number {
  let mixed = (seed ^ Math.imul(index + 1, 0x9e3779b1)) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
